"""A page: what all of them show, put into a template and written whole."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from diapir.errors import RunError
from diapir.evaluation.breakdown import coverage_label
from diapir.files import replace_file
from diapir.inference.overlay import FALSE, HIT, MISSED
from diapir.reports.style import DARK, LIGHT
from diapir.text import decimal, integer, percent
from diapir.version import __version__


def common() -> dict[str, Any]:
    """What the templates need for every page: the look, the colours of overlays, versions."""
    return {
        "sheets": [],
        "light": LIGHT,
        "dark": DARK,
        "colours": {"hit": css(HIT), "missed": css(MISSED), "false": css(FALSE)},
        "versions": {"diapir": __version__, "Python": platform.python_version()},
    }


def css(colour: Sequence[int]) -> str:
    """Red, green and blue of 0 … 255 as CSS writes them."""
    red, green, blue = (int(value) for value in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after a slash, dot, hyphen or underscore."""
    return Markup("<wbr>").join(re.findall(r"[^/._-]*[/._-]?", name))


def write_page(path: Path, template: str, page: Mapping[str, Any]) -> Path:
    """Fill a template and put it at `path`, whole or not at all.

    Args:
        path: the HTML file; its folder must exist.
        template: name of a file in `templates/`.
        page: what it shows; all of it is escaped but `Markup`.

    Returns:
        `path`.

    Raises:
        RunError: the page cannot be written; one that was there is kept.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("diapir.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "decimal": decimal,
        "percent": percent,
        "integer": integer,
        "coverage": coverage_label,
        "breakable": breakable,
    }
    text = environment.get_template(template).render(page)
    write_text(path, text)
    return path


def write_text(path: Path, text: str) -> None:
    """Put text at `path`, whole or not at all.

    Raises:
        RunError: it cannot be written; a file that was there is kept.
    """
    try:
        # a file name need not be valid Unicode, and ids come from file names
        replace_file(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise RunError(
            f"{path} cannot be written: {error.strerror or error}",
            expected="an existing, writable folder with a few MB free",
            fix="free space, or choose another folder with --out",
        ) from None
