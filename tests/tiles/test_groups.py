from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diapir.errors import DataError
from diapir.tiles.files.loading import load_tiles
from diapir.tiles.groups import groups_text, read_groups
from diapir.tiles.splitting import make_split
from tests.helpers.tile_sets import Layout

names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@given(groups=st.dictionaries(names, names, min_size=1, max_size=8))
def test_any_groups_survive_the_file(
    groups: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "groups.csv"
    path.write_text(groups_text(groups), encoding="utf-8")
    assert read_groups(path) == groups


def test_groups_from_elsewhere_replace_those_of_the_set(
    tile_set: Callable[[Layout], Path], tmp_path: Path
) -> None:
    source = tile_set("synthetic")
    own = load_tiles(source)
    table = tmp_path / "groups.csv"
    groups = {tile: "one" if number < 5 else tile for number, tile in enumerate(own.ids)}
    table.write_text(groups_text(groups | {"absent": "one"}), encoding="utf-8")
    tiles = load_tiles(source, groups=table)
    assert tiles.groups == tuple(groups[tile] for tile in own.ids)
    assert tiles.hash == own.hash
    split = make_split(tiles, val_fraction=0.4)
    homes = {split.parts["val"].count(tile) for tile, group in groups.items() if group == "one"}
    assert len(homes) == 1
    assert load_tiles(source).groups == own.groups  # the cache keeps the set's own


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"id,section\na,b\n", "columns are id, section"),
        (b"", "columns are none"),
        (b"id,group\na,b\na,c\n", "line 3 names 'a' again"),
        (b"id,group\na,b\nc,\n", "line 3 lacks"),
        (b"id,group\na\n", "line 2 lacks"),
        (b'id,group\n"a,b\n', "unexpected end"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        read_groups(path)


def test_a_table_that_is_not_there_or_lacks_tiles_is_refused(
    tile_set: Callable[[Layout], Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_tiles(tile_set("pairs"), groups=tmp_path / "groups.csv")
    (tmp_path / "groups.csv").write_text("id,group\nt000,t000\n", encoding="utf-8")
    with pytest.raises(DataError, match="lacks 7 of the 8 tiles") as refused:
        load_tiles(tile_set("pairs"), groups=tmp_path / "groups.csv")
    assert "diapir data mosaic" in refused.value.fix


def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(b"\xef\xbb\xbfid,group\r\na,b\r\n")
    assert read_groups(path) == {"a": "b"}
