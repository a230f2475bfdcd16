"""The page over the lines of a job: salt share, bodies, caveats, and what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diapir.reports.page import common, write_page
from diapir.surveys.lines.line_table import LineRow
from diapir.text import integer, percent, plural

TEMPLATE = "lines.html.j2"
COMMON = 0.5
"""Share of the lines from which a note is listed once, for all of them."""


def write_lines_report(rows: Sequence[LineRow], path: Path, title: str) -> Path:
    """Write the page over the lines of a job.

    Args:
        rows: the lines.
        path: the HTML file; its folder must exist.
        title: heading of the page.

    Raises:
        RunError: it cannot be written; an earlier one is kept.
    """
    done = [row for row in rows if not row.error]
    counts = Counter(note for row in done for note in row.notes)
    shared = {note for note, count in counts.items() if count > 1 and count >= COMMON * len(done)}
    page: dict[str, Any] = common() | {
        "sheets": ["products.css.j2"],
        "kind": "Salt in many lines",
        "title": title,
        "lead": _lead(rows, done),
        "headline": _headline(done),
        "columns": _columns(done),
        "lines": [(row, _cells(row, done), _own_notes(row, shared)) for row in done],
        "shared": [
            f"{note} ({counts[note]} of {plural(len(done), 'line')})"
            for note in counts
            if note in shared
        ],
        "failed": [row for row in rows if row.error],
    }
    return write_page(path, TEMPLATE, page)


def _own_notes(row: LineRow, shared: set[str]) -> list[str]:
    return [note for note in row.notes if note not in shared]


def _lead(rows: Sequence[LineRow], done: Sequence[LineRow]) -> str:
    failed = len(rows) - len(done)
    lead = f"{plural(len(done), 'survey')} predicted"
    return lead + (f", {failed} failed: see the end of the page." if failed else ".")


def _headline(done: Sequence[LineRow]) -> list[tuple[str, str, str]]:
    """Name, value and remark of the headline figures."""
    cards = [
        ("Lines", integer(len(done)), f"{integer(sum(row.traces or 0 for row in done))} traces")
    ]
    shares = [row.salt_share for row in done if row.salt_share is not None]
    if shares:
        sizes = [
            (row.traces or 0) * (row.samples or 0) for row in done if row.salt_share is not None
        ]
        total = sum(share * size for share, size in zip(shares, sizes, strict=True))
        cards.append(
            ("Salt fraction", percent(total / max(1, sum(sizes)), 1), "of the live samples")
        )
    if any(row.bodies is not None for row in done):
        with_salt = sum(bool(row.bodies) for row in done)
        bodies = sum(row.bodies or 0 for row in done)
        cards.append(("Lines with bodies", integer(with_salt), plural(bodies, "body")))
    return cards


def _columns(done: Sequence[LineRow]) -> list[str]:
    columns = ["Line", "Traces", "Samples"]
    if any(row.salt_share is not None for row in done):
        columns.append("Salt")
    if any(row.bodies is not None for row in done):
        columns += ["Bodies", "In bodies", "Top to base"]
    return columns


def _cells(row: LineRow, done: Sequence[LineRow]) -> list[str]:
    cells = [integer(row.traces or 0), integer(row.samples or 0)]
    if any(one.salt_share is not None for one in done):
        cells.append("" if row.salt_share is None else percent(row.salt_share, 1))
    if any(one.bodies is not None for one in done):
        known = row.bodies is not None
        cells += [
            str(row.bodies) if known else "",
            percent(row.body_share, 1) if known else "",
            f"{row.top:.0f}–{row.base:.0f} {row.unit}"
            if row.top is not None and row.base is not None
            else "",
        ]
    return cells
