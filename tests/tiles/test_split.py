"""Splits on disk, and the check that one still matches its tiles."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diapir.errors import SplitError
from diapir.tiles.split import Split
from diapir.tiles.splitting import make_folds, make_split
from diapir.tiles.tileset import TileSet
from tests.helpers.tile_sets import tiles_with_salt

EMPTY, THIN, HALF, MOST = 0, 5, 50, 95
"""Salt pixels of a tile of 100."""


def test_saved_splits_come_back_and_name_their_data(tmp_path: Path) -> None:
    tiles = tiles_with_salt([EMPTY, THIN, HALF, MOST] * 5)
    split = make_folds(tiles, folds=3, seed=-9)
    split.save(tmp_path / "split.json")
    assert Split.load(tmp_path / "split.json") == split
    written = json.loads((tmp_path / "split.json").read_text())
    assert list(written) == ["format", "kind", "seed", "data_hash", "parts", "tiles"]
    assert written["data_hash"] == tiles.hash
    assert [path.name for path in tmp_path.iterdir()] == ["split.json"]


def test_a_split_that_cannot_be_saved_says_so(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="cannot be written"):
        make_split(tiles_with_salt([EMPTY, THIN, HALF, MOST] * 5)).save(
            tmp_path / "absent" / "split.json"
        )


def written(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "split.json"
    make_split(tiles_with_salt([EMPTY, HALF] * 5)).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "format"),
        ({"kind": "leave-one-out"}, "kind"),
        ({"seed": "42"}, "seed"),
        ({"extra": 1}, "extra"),
        ({"tiles": {"tile0000": "abc"}}, "tiles.tile0000"),
        ({"parts": {"train": ["tile0000"]}}, "a holdout split with the parts train"),
        ({"kind": "kfold"}, "a kfold split with the parts train, val"),
        ({"parts": {"train": ["tile0000"], "val": []}}, "the part val is empty"),
        ({"parts": {"train": ["a", "b"], "val": ["b"]}}, "the tile b is in train and in val"),
        ({"parts": {"train": ["a", "a"], "val": ["b"]}}, "the tile a is in train and in train"),
        ({"parts": {"train": ["a"], "val": ["tile0001"]}}, "name different tiles: a, tile0000"),
        ({"data_hash": DIGEST}, "data_hash does not match"),
    ],
)
def test_files_that_are_no_split_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(SplitError, match=reason) as error:
        Split.load(path)
    assert str(path) in error.value.found


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 1'])
def test_bad_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(SplitError, match=r"split\.json cannot be used"):
        Split.load(tmp_path / "split.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="No such file"):
        Split.load(tmp_path / "split.json")


def test_changed_tiles_are_named() -> None:
    tiles = tiles_with_salt([EMPTY, HALF] * 10)
    split = make_split(tiles)
    with pytest.raises(SplitError, match=r"1 of the split's 20 tiles .* tile0003"):
        split.verify(tiles_with_salt([EMPTY, HALF, EMPTY, HALF + 1, *[EMPTY, HALF] * 8]))
    with pytest.raises(SplitError, match=r"20 of the split's 20 .* tile0004 and 15 more"):
        split.verify(tiles_with_salt([EMPTY, HALF] * 10, images=range(100, 120)))


def test_missing_tiles_are_named_and_further_ones_allowed() -> None:
    tiles = tiles_with_salt([EMPTY, HALF] * 10)
    split = make_split(tiles.select(tiles.ids[:-2]))
    split.verify(tiles)
    with pytest.raises(SplitError, match="lacks 1 of the split's 18 tiles: tile0000"):
        split.verify(tiles.select(tiles.ids[1:]))


def apart(tiles: TileSet, val: Sequence[int]) -> Split:
    """A split that nobody stratified."""
    chosen = tuple(tiles.ids[index] for index in val)
    rest = tuple(tile for tile in tiles.ids if tile not in chosen)
    contents = dict(zip(tiles.ids, tiles.content, strict=True))
    return Split({"train": rest, "val": chosen}, contents, 0, "holdout")


def test_parts_that_share_an_image_are_refused_whatever_its_mask() -> None:
    tiles = tiles_with_salt([THIN, HALF, MOST], images=[1, 1, 2])
    apart(tiles, [2]).verify(tiles)
    with pytest.raises(SplitError, match="the same image: tile0000 in train, tile0001 in val"):
        apart(tiles, [1]).verify(tiles)


def test_parts_that_share_a_group_are_refused() -> None:
    tiles = tiles_with_salt([THIN, HALF, MOST], groups=[0, 1, 1])
    apart(tiles, [1, 2]).verify(tiles)
    with pytest.raises(SplitError, match="section group 'section 1': tile0002 in train, tile0001"):
        apart(tiles, [1]).verify(tiles)


def test_a_split_that_names_a_tile_twice_is_refused() -> None:
    tiles = tiles_with_salt([THIN, HALF, MOST])
    split = apart(tiles, [2])
    twice = replace(split, parts={**split.parts, "val": ("tile0001", "tile0002")})
    with pytest.raises(SplitError, match="tile0001 is in train and in val"):
        twice.verify(tiles)
