"""Pseudo-labels of a mosaic's unlabelled tiles."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.bundle import Bundle
from diapir.errors import DataError
from diapir.inference import Ensemble, Predictor
from diapir.inference.pseudo import RECORD, Limits
from diapir.inference.pseudo_sections import on_sections, write_pseudo_sections
from diapir.tiles import TileSet, load_tiles, read_image
from tests.helpers.mosaics import write_sections
from tests.inference.conftest import BrightIsSalt

SIDE = 20
DARK, GREY, BRIGHT = 0, 125, 255  # what BrightIsSalt makes of them: p = .11, .51, .90
SECTIONS = {"one": {(0, 0): "a", (0, 1): "b", (1, 1): "c"}, "two": {(0, 0): "d", (1, 0): "e"}}
LIMITS = Limits(confident=0.0)


class Recorded(Predictor):
    """Notes the shapes of the images that it is given."""

    def probabilities(
        self, images: Sequence[NDArray[np.uint8]], *, progress: object = None
    ) -> list[NDArray[np.float32]]:
        self.shapes = [*getattr(self, "shapes", []), *(image.shape for image in images)]
        return super().probabilities(images)


def model(bundle: Bundle, sha: str, **training: str) -> Recorded:
    info = bundle.info.model_copy(update={"weights_sha256": sha, "training": training})
    return Recorded(replace(bundle, info=info), engine=BrightIsSalt())


@pytest.fixture
def on_tiles(bundle: Bundle) -> Recorded:
    return model(bundle, "tiles")


@pytest.fixture
def on_windows(bundle: Bundle) -> Recorded:
    return model(bundle, "windows", windows="2 sections of a mosaic")


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    """All tiles: the upper half is bright, the last row grey."""
    image = np.full((SIDE, SIDE), DARK, np.uint8)
    image[:10], image[19] = BRIGHT, GREY
    for name in "abcde":
        for kind in ("images", "masks"):
            (tmp_path / "all" / kind).mkdir(parents=True, exist_ok=True)
            varied = image.copy()
            varied[18, 0] = ord(name) % 5  # no two are the same
            pixels = varied if kind == "images" else np.uint8(255) * (image > 200)
            Image.fromarray(pixels).save(tmp_path / "all" / kind / f"{name}.png")
    return load_tiles(tmp_path / "all")


@pytest.fixture
def mosaic(tiles: TileSet, tmp_path: Path) -> Path:
    folder = write_sections(tmp_path / "mosaic", tiles, SECTIONS)
    (folder / "sections" / "pseudo").mkdir()
    (folder / "sections" / "pseudo" / "old.png").touch()
    (folder / "report").mkdir()
    return folder


def test_unlabelled_tiles_are_labelled_in_a_copy_of_the_mosaic(
    on_tiles: Recorded, tiles: TileSet, mosaic: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "made" / "out"
    made = write_pseudo_sections(
        on_tiles,
        tiles.select(["a", "d"]),
        mosaic,
        out,
        limits=LIMITS,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (made.sections, made.tiles, made.unsure, made.labelled) == (2, 3, 0, 2)
    assert seen == [(1, 2), (2, 2)]
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[:10], expected[19] = 1, 255
    labels = read_image(out / "sections" / "pseudo" / "one.png")
    assert (labels[:SIDE, :SIDE] == 255).all()  # labelled
    assert (labels[SIDE:, :SIDE] == 0).all()  # a gap
    assert np.array_equal(labels[:SIDE, SIDE:], expected)
    assert np.array_equal(labels[SIDE:, SIDE:], expected)
    assert made.shares == pytest.approx({"background": 0.45, "salt": 0.5, "ignored": 0.05})
    for name in ("mosaic.json", "groups.csv", "sections/one.png", "sections/two.png"):
        assert (out / name).read_bytes() == (mosaic / name).read_bytes()
    assert sorted(path.name for path in out.iterdir()) == [
        "groups.csv",
        "mosaic.json",
        RECORD,
        "sections",
    ]
    assert len(list((out / "sections" / "pseudo").iterdir())) == 2
    record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    assert record["models"] == on_tiles.describe()
    assert record["predicted"] == ["tiles"]
    assert (record["low"], record["high"], record["tiles"]) == (0.2, 0.8, 3)
    assert record["data"]["hash"] == tiles.select(["a", "d"]).hash


def test_each_model_predicts_in_the_way_it_was_trained(
    on_tiles: Recorded, on_windows: Recorded, tiles: TileSet, mosaic: Path, tmp_path: Path
) -> None:
    assert (on_sections(on_tiles), on_sections(on_windows)) == (False, True)
    both = Ensemble([on_tiles, on_windows])
    labelled = tiles.select(["a", "d"])
    write_pseudo_sections(both, labelled, mosaic, tmp_path / "out", limits=LIMITS)
    assert on_tiles.shapes == 3 * [(SIDE, SIDE)]
    assert on_windows.shapes == [(2 * SIDE, 2 * SIDE), (2 * SIDE, SIDE)]
    record = json.loads((tmp_path / "out" / RECORD).read_text(encoding="utf-8"))
    assert record["predicted"] == ["tiles", "sections"]
    write_pseudo_sections(on_tiles, labelled, mosaic, tmp_path / "alone", limits=LIMITS)
    names = [Path("sections", "pseudo", f"{name}.png") for name in SECTIONS]
    for name in names:  # these two models answer alike
        found = read_image(tmp_path / "alone" / name)
        assert np.array_equal(read_image(tmp_path / "out" / name), found)


def test_tiles_with_too_few_confident_pixels_are_ignored(
    on_tiles: Recorded, tiles: TileSet, mosaic: Path, tmp_path: Path
) -> None:
    labelled, strict = tiles.select(["a", "d"]), Limits(confident=0.96)
    with pytest.raises(DataError, match="no high-confidence salt in 3 unlabelled tiles"):
        write_pseudo_sections(on_tiles, labelled, mosaic, tmp_path / "out", limits=strict)
    assert not (tmp_path / "out").exists()


def test_the_same_are_kept_and_those_of_another_mosaic_are_not_replaced(
    on_tiles: Recorded, tiles: TileSet, mosaic: Path, tmp_path: Path
) -> None:
    labelled, out = tiles.select(["a", "d"]), tmp_path / "out"
    made = write_pseudo_sections(on_tiles, labelled, mosaic, out, limits=LIMITS)
    predicted = len(on_tiles.shapes)
    again = write_pseudo_sections(on_tiles, labelled, mosaic, out, limits=LIMITS)
    assert again == replace(made, kept=True)
    assert len(on_tiles.shapes) == predicted
    image = next(path for path in (mosaic / "sections").glob("*.png"))
    Image.fromarray(255 - read_image(image)).save(image)
    with pytest.raises(DataError, match="is not empty"):
        write_pseudo_sections(on_tiles, labelled, mosaic, out, limits=LIMITS)


def test_mosaics_that_do_not_fit_are_refused(
    on_tiles: Recorded, tiles: TileSet, mosaic: Path, tmp_path: Path
) -> None:
    def refused(part: TileSet, folder: Path, out: Path, match: str) -> None:
        with pytest.raises(DataError, match=match):
            write_pseudo_sections(on_tiles, part, folder, out, limits=LIMITS)

    some = tiles.select(["a", "d"])
    refused(some, tmp_path, tmp_path / "out", "no mosaic")
    refused(tiles, mosaic, tmp_path / "out", "all of the 5 tiles")
    refused(some, mosaic, mosaic, "is not empty")
    others = write_sections(tmp_path / "others", tiles, {"one": {(0, 0): "x", (0, 1): "y"}})
    refused(some, others, tmp_path / "out", "none of the 2 tiles")
    image = read_image(mosaic / "sections" / "two.png").copy()
    image[0, 0] ^= 9
    Image.fromarray(image).save(mosaic / "sections" / "two.png")
    refused(some, mosaic, tmp_path / "out", "tile d")
    assert not (tmp_path / "out").exists()
