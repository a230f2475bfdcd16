"""HTML pages: what they have in common, and filling and writing a template."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from diapir.errors import RunError
from diapir.evaluation.breakdown import coverage_label
from diapir.files import disk_errors, replace_file
from diapir.inference.overlay import FALSE, HIT, MISSED
from diapir.reports.style import DARK, LIGHT
from diapir.text import decimal, integer, percent
from diapir.version import __version__


def common() -> dict[str, Any]:
    """Template variables of every page: theme colours, overlay colours, versions."""
    return {
        "sheets": [],
        "light": LIGHT,
        "dark": DARK,
        "colours": {"hit": css(HIT), "missed": css(MISSED), "false": css(FALSE)},
        "versions": {"diapir": __version__, "Python": platform.python_version()},
    }


def css(colour: Sequence[int]) -> str:
    """Red, green and blue, 0 … 255, as a CSS colour."""
    red, green, blue = (int(value) for value in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"


def breakable(name: str) -> Markup:
    """A name that may break after a slash, dot, hyphen or underscore."""
    return Markup("<wbr>").join(re.findall(r"[^/._-]*[/._-]?", name))


def write_page(path: Path, template: str, page: Mapping[str, Any]) -> Path:
    """Fill a template and write the page, whole or not at all.

    Args:
        path: the HTML file; its folder must exist.
        template: name of a file in `templates/`.
        page: template variables; everything except `Markup` is escaped.

    Returns:
        `path`.

    Raises:
        RunError: the page cannot be written; an earlier one is kept.
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
    """Write text to `path`, whole or not at all.

    Raises:
        RunError: it cannot be written; an earlier file is kept.
    """
    with disk_errors(path, RunError):
        # ids come from file names, which need not be valid Unicode
        replace_file(path, text.encode("utf-8", "replace"))
