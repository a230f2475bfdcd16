"""The page of `diapir data check --out`: what a tile set contains, what is wrong, how it looks."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from diapir.errors import DataError
from diapir.files import claim, disk_errors
from diapir.inference.contact_sheet import contact_sheet
from diapir.reports.page import common, write_page
from diapir.text import integer, percent
from diapir.tiles import CheckReport, load_tiles

TEMPLATE = "data.html.j2"
PAGE = "report.html"
KIND = "Check of a tile set"


def claim_report(out: Path) -> None:
    """Refuse a folder with anything but an earlier report of a check.

    Raises:
        DataError: it has other files.
    """
    claim(out, holds="a report of diapir data check", ours=_is_report)


def _is_report(out: Path) -> bool:
    files = [path.name for path in out.iterdir()]
    return files == [PAGE] and f'<p class="kind">{KIND}</p>' in (out / PAGE).read_text("utf-8")


def write_data_report(report: CheckReport, out: Path) -> Path:
    """Write the page of a check, with a contact sheet of the tiles that can be used.

    Args:
        report: the check.
        out: folder of the page.

    Raises:
        DataError: the folder cannot be made.
        RunError: the page cannot be written; an earlier one is kept.
    """
    sheet, reason = _sheet(report)
    page: dict[str, Any] = common() | {
        "kind": KIND,
        "title": report.name,
        "lead": "OK to train." if report.ok else "Not OK to train: see the errors.",
        "headline": [
            ("Tiles", integer(report.pairs), f"of {integer(report.images)} images"),
            ("Salt", percent(report.shares.get("salt"), 1), "of all mask pixels"),
            ("Without salt", percent(report.empty / max(report.pairs, 1)), "of the tiles"),
            ("Masks", report.encoding or "undecided", "encoding"),
        ],
        "errors": report.errors,
        "warnings": report.warnings,
        "facts": report.facts(),
        "sheet": sheet,
        "reason": reason,
    }
    with disk_errors(out, DataError):
        out.mkdir(parents=True, exist_ok=True)
    return write_page(out / PAGE, TEMPLATE, page)


def _sheet(report: CheckReport) -> tuple[str, str]:
    """The contact sheet as a data URL, or "" and why there is none."""
    if report.encoding is None:
        return "", "no contact sheet: the mask encoding is undecided"
    try:
        tiles = load_tiles(report.path, encoding=report.encoding, skip_bad=True)
    except DataError as error:
        return "", f"no contact sheet: {error.found}"
    file = io.BytesIO()
    contact_sheet(tiles).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}", ""
