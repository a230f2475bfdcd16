import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.bundle import Bundle
from diapir.errors import ConfigError, DataError
from diapir.inference import Ensemble, Predictor
from diapir.inference.pseudo import RECORD, write_pseudo_labels
from diapir.tiles import TileSet, load_tiles
from tests.inference.conftest import BrightIsSalt

# what BrightIsSalt makes of them: p = .11, .51, .90
DARK, GREY, BRIGHT = 0, 125, 255


def pictures() -> dict[str, NDArray[np.uint8]]:
    sure = np.full((20, 20), DARK, np.uint8)
    sure[:8] = BRIGHT
    nearly = sure.copy()
    nearly[19] = GREY
    doubtful = sure.copy()
    doubtful[16:] = GREY
    return {"sure": sure, "nearly": nearly, "doubtful": doubtful, "sure_again": sure}


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    return written(tmp_path / "images", pictures())


def written(folder: Path, images: dict[str, NDArray[np.uint8]]) -> TileSet:
    for name, image in images.items():
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return load_tiles(folder, labelled=False, part="test")


@pytest.fixture
def predictor(bundle: Bundle, bright: BrightIsSalt) -> Predictor:
    return Predictor(bundle, engine=bright)


def test_confident_tiles_become_a_tile_set_to_train_on(
    predictor: Predictor, tiles: TileSet, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "made" / "pseudo"
    made = write_pseudo_labels(
        predictor, tiles, out, progress=lambda done, total: seen.append((done, total))
    )
    assert (made.tiles, made.unsure, made.repeated) == (2, 1, 1)
    assert seen == [(4, 4)]
    learnt = load_tiles(out)
    assert (learnt.layout, learnt.encoding) == ("pairs", "index")
    assert learnt.ids == ("nearly", "sure")
    np.testing.assert_array_equal(learnt.image(1), pictures()["sure"])
    expected = np.zeros((20, 20), np.uint8)
    expected[:8] = 1
    np.testing.assert_array_equal(learnt.mask(1), expected)
    expected[19] = 255
    np.testing.assert_array_equal(learnt.mask(0), expected)
    assert learnt.class_shares == pytest.approx(made.shares)
    record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    assert record["models"] == predictor.describe()
    assert record["data"]["hash"] == tiles.hash
    assert (record["tiles"], record["unsure"], record["repeated"]) == (2, 1, 1)
    assert (record["low"], record["high"], record["confident"]) == (0.2, 0.8, 0.9)


def test_the_mean_of_models_decides(bundle: Bundle, tiles: TileSet, tmp_path: Path) -> None:
    class Contrary(BrightIsSalt):
        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return -super().logits(batch)

    info = bundle.info.model_copy(update={"weights_sha256": "other"})
    contrary = Predictor(dataclasses.replace(bundle, info=info), engine=Contrary())
    torn = Ensemble([Predictor(bundle, engine=BrightIsSalt()), contrary])
    with pytest.raises(DataError, match="no high-confidence salt in 4 tiles"):
        write_pseudo_labels(torn, tiles, tmp_path / "pseudo")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


def test_labels_that_are_mostly_ignored_are_refused(predictor: Predictor, tmp_path: Path) -> None:
    image = np.full((20, 20), DARK, np.uint8)
    image[0, 0], image[1, :2] = BRIGHT, GREY
    tiles = written(tmp_path / "images", {"a": image})
    with pytest.raises(DataError, match="2 ignored and 1 salt pixels"):
        write_pseudo_labels(predictor, tiles, tmp_path / "pseudo")


def test_nothing_is_overwritten_or_left_half_written(
    predictor: Predictor, tiles: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="is not empty"):
        write_pseudo_labels(predictor, tiles, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        write_pseudo_labels(predictor, tiles, tmp_path / "file")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(DataError, match="No space left"):
        write_pseudo_labels(predictor, tiles, tmp_path / "pseudo")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "images"]


def test_the_same_pseudo_labels_are_kept_and_others_are_not_replaced(
    predictor: Predictor, tiles: TileSet, tmp_path: Path
) -> None:
    out, lock = tmp_path / "pseudo", tmp_path / ".pseudo.lock"
    made = write_pseudo_labels(predictor, tiles, out)
    lock.write_text("left by a kill", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert write_pseudo_labels(predictor, tiles, out) == dataclasses.replace(made, kept=True)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    assert not lock.exists()
    with pytest.raises(DataError, match="is not empty"):
        write_pseudo_labels(predictor, tiles, out, low=0.1)
    with pytest.raises(DataError, match="is not empty"):
        write_pseudo_labels(predictor, tiles.select(tiles.ids[1:]), out)
    (out / RECORD).write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="is not empty"):
        write_pseudo_labels(predictor, tiles, out)


@pytest.mark.parametrize(
    "limits", [{"low": 0.8, "high": 0.2}, {"high": 1.1}, {"confident": 1.5}, {"low": float("nan")}]
)
def test_limits_out_of_range(
    predictor: Predictor, tiles: TileSet, tmp_path: Path, limits: dict[str, float]
) -> None:
    with pytest.raises(ConfigError, match="limits of"):
        write_pseudo_labels(predictor, tiles, tmp_path / "pseudo", **limits)
