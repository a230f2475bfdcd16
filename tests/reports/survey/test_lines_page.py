"""The page over the lines of a job."""

from __future__ import annotations

from pathlib import Path

from diapir.reports import write_lines_report
from diapir.surveys.lines.line_table import LineRow

NOTE = "sample interval unknown, taken as 1; set it with --interval"


def test_the_page_lists_lines_shared_notes_and_failures(tmp_path: Path) -> None:
    rows = [
        LineRow("a", "a.npy", "2d", 100, 50, 0.5, 0.2, notes=(NOTE, "only a")),
        LineRow("b", "b.npy", "2d", 300, 50, 0.5, 0.4, notes=(NOTE,)),
        LineRow("<c>", "c.npy", error="c.npy cannot be read"),
    ]
    path = write_lines_report(rows, tmp_path / "lines.html", "survey")
    page = path.read_text(encoding="utf-8")
    assert page.count(NOTE) == 1
    assert "(2 of 2 lines)" in page
    assert page.count("only a") == 1
    assert "35.0 %" in page  # weighted by traces
    assert "&lt;c&gt;" in page
    assert "c.npy cannot be read" in page


def test_a_page_of_failures_alone(tmp_path: Path) -> None:
    rows = [LineRow("a", "a.sgy", error="a.sgy is not a SEG-Y file")]
    page = write_lines_report(rows, tmp_path / "lines.html", "survey").read_text(encoding="utf-8")
    assert "0 surveys predicted, 1 failed" in page
