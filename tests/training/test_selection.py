"""Tiles that are trained on beside the training part."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.config import DataConfig
from diapir.errors import SplitError
from diapir.tiles import Split, TileSet, load_tiles, make_folds, make_split
from diapir.training.selection import settle_split, training_tiles
from tests.helpers.tiny import write_bright_salt


def split_of(tiles: TileSet) -> Split:
    return make_split(tiles, val_fraction=0.25, seed=1)


def test_use_all_trains_on_the_validation_part(bright_salt: Path) -> None:
    tiles = load_tiles(bright_salt)
    split = split_of(tiles)
    plain, notes = training_tiles(DataConfig(), tiles, split)
    assert (plain.ids, notes) == (split.part("train"), [])
    every, notes = training_tiles(DataConfig(use_all=True), tiles, split)
    assert sorted(every.ids) == sorted(tiles.ids)
    assert "their scores are optimistic" in notes[0]


def test_further_tiles_join_the_training_part_except_validation_images(
    bright_salt: Path, tmp_path: Path
) -> None:
    tiles = load_tiles(bright_salt)
    split = split_of(tiles)
    extra = write_bright_salt(tmp_path / "extra", 6)
    rng = np.random.default_rng(0)
    for path in sorted((extra / "images").iterdir()):
        Image.fromarray(rng.integers(0, 256, (12, 17), dtype=np.uint8)).save(path)
        mask = rng.choice(np.array([0, 1, 255], np.uint8), (12, 17))
        Image.fromarray(mask).save(extra / "masks" / path.name)
    held_out = split.part("val")[0]
    shutil.copy(bright_salt / "images" / f"{held_out}.png", extra / "images" / "copied.png")
    size = tiles.shapes[tiles.ids.index(held_out)][::-1].tolist()
    Image.new("L", size, 0).save(extra / "masks" / "copied.png")
    joined, notes = training_tiles(DataConfig(extra=str(extra)), tiles, split)

    assert notes == [
        "Further tiles: extra, 6, masks index; 1 skipped whose image is in the validation part"
    ]
    assert len(joined) == len(split.part("train")) + 6
    assert "copied" not in joined.ids
    further = load_tiles(extra, encoding="index")
    for index, tile in enumerate(split.part("train")):
        assert np.array_equal(joined.mask(index), tiles.mask(tiles.ids.index(tile)))
    for index in range(6):
        row = len(joined) - 6 + index
        other = further.ids.index(joined.ids[row])
        assert np.array_equal(joined.image(row), further.image(other))
        assert np.array_equal(joined.mask(row), further.mask(other))
        assert (joined.mask(row) == 255).any()
    assert joined.hash != tiles.hash


@pytest.mark.parametrize(
    ("folds", "asked", "fits"),
    [
        (None, {"folds": 5}, False),
        (None, {"fold": 1}, False),
        (3, {"folds": 5}, False),
        (3, {"folds": 3, "fold": 2}, True),
        (3, {"fold": 1}, True),
        (None, {}, True),
    ],
)
def test_folds_that_the_split_does_not_have_are_refused(
    bright_salt: Path, tmp_path: Path, folds: int | None, asked: dict[str, int], fits: bool
) -> None:
    tiles = load_tiles(bright_salt)
    split = split_of(tiles) if folds is None else make_folds(tiles, folds=folds)
    split.save(tmp_path / "split.json")
    config = DataConfig(split=str(tmp_path / "split.json"), **asked)
    if fits:
        assert settle_split(config, tiles, tmp_path / "none").kind == "holdout"
        return
    with pytest.raises(SplitError, match=r"data\.split = .* is given as well"):
        settle_split(config, tiles, tmp_path / "none")


def test_a_set_that_keeps_tiles_apart_is_split_by_that(bright_salt: Path, tmp_path: Path) -> None:
    for number, image in enumerate(sorted((bright_salt / "images").iterdir())):
        part = tmp_path / "set" / ("val" if number % 3 == 1 else "train")
        for kind in ("images", "masks"):
            (part / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(bright_salt / kind / image.name, part / kind / image.name)
    tiles = load_tiles(tmp_path / "set")
    split = settle_split(DataConfig(), tiles, tmp_path / "none")
    assert all(tile.startswith("val/") for tile in split.part("val"))
    assert not any(tile.startswith("val/") for tile in split.part("train"))
    other = settle_split(DataConfig(folds=2), tiles, tmp_path / "none")
    assert any(tile.startswith("val/") for tile in other.part("train"))
