import csv
import dataclasses
import os
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from diapir.errors import DataError
from diapir.inference import Predictor
from diapir.inference.submission import submission_text, write_submission
from diapir.tiles import TileSet, load_tiles, rle_decode, rle_encode
from tests.helpers.tile_sets import make_tiles, write_tiles
from tests.inference.conftest import BrightIsSalt


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    """The test part of a zip such as Kaggle's."""
    return load_tiles(
        write_tiles(tmp_path / "tgs", "kaggle_zip", count=6), labelled=False, part="test"
    )


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream))


def test_the_masks_come_back_from_the_runs(
    bundle: Bundle, bright: BrightIsSalt, tiles: TileSet, tmp_path: Path
) -> None:
    info = bundle.info.model_copy(update={"threshold": 0.6, "min_area": 3})
    predictor = Predictor(dataclasses.replace(bundle, info=info), engine=bright)
    seen: list[tuple[int, int]] = []
    out = tmp_path / "new" / "submission.csv"
    made = write_submission(
        predictor, tiles, out, progress=lambda done, total: seen.append((done, total))
    )
    header, *rows = table(out)
    assert header == ["id", "rle_mask"]
    assert [row[0] for row in rows] == sorted(tiles.ids)
    masks: list[NDArray[np.uint8]] = []
    for tile, runs in rows:
        image = tiles.image(tiles.ids.index(tile))
        masks.append(rle_decode(runs, *image.shape))
        # the bright salt is far above the threshold, single bright pixels of noise are left out
        assert (masks[-1] <= (bright.probability(image) >= 0.6)).all()
    assert seen[-1] == (6, 6)
    assert (made.tiles, made.threshold, made.min_area) == (6, 0.6, 3)
    assert made.empty == sum(not mask.any() for mask in masks)
    assert 0 < made.empty < 6
    assert made.salt_share == np.mean(masks)


def test_only_a_submission_of_the_same_tiles_is_replaced(
    bundle: Bundle, bright: BrightIsSalt, tiles: TileSet, tmp_path: Path
) -> None:
    predictor = Predictor(bundle, engine=bright)
    out = tmp_path / "submission.csv"
    write_submission(predictor, tiles, out)
    before = out.read_bytes()
    write_submission(predictor, tiles, out, threshold=0.9)
    assert out.read_bytes() != before
    for content in (b"id,rle_mask\nx,\n", b"other\n", b"\xff\xfe", b""):
        out.write_bytes(content)
        with pytest.raises(DataError, match="is not a submission of the same tiles"):
            write_submission(predictor, tiles, out)
        assert out.read_bytes() == content
    with pytest.raises(DataError, match="is a folder"):
        write_submission(predictor, tiles, tmp_path)


def test_a_full_disk_leaves_what_was_there(
    bundle: Bundle,
    bright: BrightIsSalt,
    tiles: TileSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = Predictor(bundle, engine=bright)
    out = tmp_path / "submission.csv"
    write_submission(predictor, tiles, out)
    before = out.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        write_submission(predictor, tiles, out, threshold=0.9)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_an_id_with_a_comma_is_quoted() -> None:
    _, masks = make_tiles(2)
    runs = rle_encode(masks["t001"])
    assert submission_text([("a,b", runs), ("c", "")]) == f'id,rle_mask\n"a,b",{runs}\nc,\n'


@pytest.mark.real
def test_the_real_masks_are_written_as_kaggle_wrote_them(real_tgs_zip: Path) -> None:
    tiles = load_tiles(real_tgs_zip)
    with ZipFile(real_tgs_zip) as archive:
        text = archive.read("train.csv").decode()
    official = dict(csv.reader(text.splitlines()[1:]))
    assert official.keys() == set(tiles.ids)
    # Kaggle's masks are 16 bit: whatever is not 0 is salt
    ours = submission_text(
        (tile, rle_encode(tiles.mask(index))) for index, tile in enumerate(tiles.ids)
    )
    assert dict(csv.reader(ours.splitlines()[1:])) == official


@pytest.mark.real
def test_a_line_for_each_of_the_real_test_tiles(
    bundle: Bundle, bright: BrightIsSalt, real_tgs_zip: Path, tmp_path: Path
) -> None:
    tiles = load_tiles(real_tgs_zip, labelled=False, part="test")
    info = bundle.info.model_copy(update={"preprocess": PreprocessConfig(size=112)})
    predictor = Predictor(dataclasses.replace(bundle, info=info), engine=bright)
    made = write_submission(predictor, tiles, tmp_path / "submission.csv")
    _, *rows = table(made.out)
    assert len(rows) == made.tiles == len(tiles) == 3000
    tile, runs = next(row for row in rows if row[1])
    image = tiles.image(tiles.ids.index(tile))
    np.testing.assert_array_equal(rle_decode(runs, 101, 101), bright.probability(image) >= 0.5)
