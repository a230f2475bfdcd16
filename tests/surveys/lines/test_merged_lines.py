"""Horizons and bodies of several lines in one file."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from diapir.errors import DataError
from diapir.surveys.lines.line_table import LineRow
from diapir.surveys.lines.merged_lines import MERGED, merge_lines, refuse_same_names

ROWS = [LineRow("a", "a.sgy", bodies=1), LineRow("b c", "b c.sgy", bodies=1)]


@pytest.fixture
def products(tmp_path: Path) -> list[tuple[str, Path]]:
    """Products of lines `a` and `b c`, of which only the second has CSV; `d` has no salt."""
    found = []
    for name in ("a", "b c", "d"):
        made = tmp_path / f"{name}.products"
        (made / "horizons").mkdir(parents=True)
        found.append((name, made))
        if name == "d":
            (made / "bodies.csv").write_text("")
            continue
        for horizon in ("top", "base"):
            (made / f"horizons/{horizon}.dat").write_text(f"7 1.00 2.00 {len(name)}.000 0.5\n")
        (made / "bodies.csv").write_text("body,cells\n1,20\n")
    (found[1][1] / "horizons/top.csv").write_text("cdp,z\n7,3.0\n")
    return found


def test_every_row_carries_the_name_of_its_line(
    tmp_path: Path, products: list[tuple[str, Path]]
) -> None:
    files = merge_lines(tmp_path / MERGED, products, ROWS)
    names = {path.relative_to(tmp_path / MERGED).as_posix() for path in files}
    assert names == {
        *("horizons/top.dat", "horizons/base.dat", "horizons/top.csv", "horizons/README.txt"),
        *("bodies.csv", "lines.csv"),
    }
    top = (tmp_path / MERGED / "horizons/top.dat").read_text().splitlines()
    assert top == ["a 7 1.00 2.00 1.000 0.5", "b_c 7 1.00 2.00 3.000 0.5"]
    with (tmp_path / MERGED / "bodies.csv").open(newline="") as stream:
        assert [row["line"] for row in csv.DictReader(stream)] == ["a", "b c"]
    assert "'b c' is written as b_c" in (tmp_path / MERGED / "horizons/README.txt").read_text()
    merge_lines(tmp_path / MERGED, products[:1], ROWS)  # replaces its own
    assert not (tmp_path / MERGED / "horizons/top.csv").exists()


def test_a_folder_of_others_is_not_replaced(
    tmp_path: Path, products: list[tuple[str, Path]]
) -> None:
    (tmp_path / MERGED).mkdir()
    (tmp_path / MERGED / "mine.txt").write_text("kept")
    with pytest.raises(DataError, match="not a folder of merged lines"):
        merge_lines(tmp_path / MERGED, products, ROWS)
    assert (tmp_path / MERGED / "mine.txt").read_text() == "kept"


def test_names_that_differ_by_spaces_alone_are_refused() -> None:
    refuse_same_names(["a", "b c", "b"])
    with pytest.raises(DataError, match="b_c"):
        refuse_same_names(["b c", "b_c"])
