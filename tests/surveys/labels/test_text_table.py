from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diapir.errors import DataError
from diapir.surveys.labels import text_table
from diapir.surveys.labels.text_table import own_line, read_table

ROWS = np.round(np.random.default_rng(1).normal(500, 200, (300, 5)), 3)
PLAIN = "\n".join(" ".join(map(str, row)) for row in ROWS.tolist()) + "\n"
LARGE = {
    "plain": PLAIN,
    "comments": "# Inline Crossline X Y Z\n" + PLAIN,
    "charisma": "".join(
        "INLINE : {:.0f} XLINE : {:.0f} {} {} {}\n".format(*row) for row in ROWS.tolist()
    ),
    "header": "Inline Crossline X Y Z\n" + PLAIN,
    "parts": PLAIN + "\n" + PLAIN,
    "commas": PLAIN.replace(" ", ","),
    "names": "\n".join(f'"top" {line}' for line in PLAIN.splitlines()),
}


@pytest.mark.parametrize("form", LARGE)
def test_a_large_table_is_read_as_line_by_line(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.txt"
    path.write_text(LARGE[form])
    slow = read_table(path)
    monkeypatch.setattr(text_table, "_LARGE", 0)
    fast = read_table(path)
    assert np.array_equal(slow.values, fast.values, equal_nan=True)
    assert slow.meanings == fast.meanings
    assert slow.words == fast.words
    assert slow.lines.tolist() == fast.lines.tolist()
    assert slow.parts.tolist() == fast.parts.tolist()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1 2 3\n", [1, 2, 3]),
        ("1,2,3\n", [1, 2, 3]),
        ("1, 2, 3.5\n", [1, 2, 3.5]),
        ("1,5 2,5 3\n", [1.5, 2.5, 3]),
        ("1;2,5;3\n", [1, 2.5, 3]),
        ("1\t2\t3\n", [1, 2, 3]),
        ("1\t2,5\t3\n", [1, 2.5, 3]),
        ('"1","2","3"\n', [1, 2, 3]),
        ("1 2 -\n", [1, 2, np.nan]),
        ("1,2,\n", [1, 2]),
        ("\ufeff1 2 3\n", [1, 2, 3]),
        ("! comment\n// another\n1 2 3\nEOD\n", [1, 2, 3]),
        ("Some title\n1e3 2 3\n", [1000, 2, 3]),
    ],
)
def test_separators_and_comments(tmp_path: Path, text: str, values: list[float]) -> None:
    path = tmp_path / "table.txt"
    path.write_text(text, encoding="utf-8")
    assert np.array_equal(read_table(path).values, [values], equal_nan=True)


@pytest.mark.parametrize(
    ("header", "meanings", "unit"),
    [
        ("Inline Crossline Z", ("inline", "crossline", "z"), None),
        ("IL,XL,TWT[ms]", ("inline", "crossline", "z"), "ms"),
        ("# X (m) Y (m) Depth (ft)", ("x", "y", "z"), "ft"),
        ("# 1: X\n# 2: Y\n# 3: Z (s)", ("x", "y", "z"), "s"),
        ("# Field: 1 x meters\n# Field: 2 y meters\n# Field: 3 z ms", ("x", "y", "z"), "ms"),
        ("cdp_x;cdp_y;Time", ("x", "y", "z"), None),
        ("a b c", (), None),
    ],
)
def test_headers(tmp_path: Path, header: str, meanings: tuple[str, ...], unit: str | None) -> None:
    path = tmp_path / "table.txt"
    path.write_text(f"{header}\n1 2 3\n")
    table = read_table(path)
    assert table.meanings == meanings
    assert table.z_unit == unit


def test_parts(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("\n1 2\n1 3\n\n\n2 2\n> next\n3 3\n999.0 999.0\n4 4\n")
    assert read_table(path).parts.tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 2 3\n1 2 x\n", "line 2: 'x' is not a number"),
        ("1 2 3\nhello\n", "line 2: 'hello' cannot be read"),
        ("1 2 3\n1 2\n1 2 3\n", "line 2: 2 columns, where most lines have 3"),
        ("a b c\n", "no numbers"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=found):
        read_table(path)


def test_the_rows_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text('line cdp z\n"L 1" 1 2\n"L 2" 3 4\n')
    assert own_line(read_table(path), "l 2").values[:, 1:].tolist() == [[3, 4]]
    with pytest.raises(DataError, match="L 1, L 2, not of L 3"):
        own_line(read_table(path), "L 3")


def test_utf_16(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("Inline Crossline Z\n1 2 3\n", encoding="utf-16")
    assert read_table(path).values.tolist() == [[1, 2, 3]]
