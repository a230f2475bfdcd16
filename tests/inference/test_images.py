import csv
import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from diapir.errors import ConfigError, DataError
from diapir.inference import EngineOptions, Predictor, images, predict_images
from diapir.inference.overlay import overlay
from diapir.inference.sources import Found, Source
from diapir.locks import locked
from tests.helpers.faults import forks, killed_at, moments
from tests.inference.conftest import BrightIsSalt


@pytest.fixture
def predictor(bundle: Bundle, bright: BrightIsSalt) -> Predictor:
    return Predictor(bundle, EngineOptions(batch=3), engine=bright)


def _grey(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def _save(path: Path, image: NDArray[np.uint8], mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).convert(mode).save(path)
    return path


def _table(out: Path) -> list[dict[str, str]]:
    with (out / "predictions.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("shape", [(20, 31), (32, 32), (75, 40), (1, 2)])
def test_probability_mask_and_overlay_have_the_size_of_the_image(
    predictor: Predictor, tmp_path: Path, shape: tuple[int, int]
) -> None:
    image = _grey(*shape)
    path = _save(tmp_path / "line.png", image)
    predict_images(predictor, [path], tmp_path / "out", threshold=0.6)
    expected = BrightIsSalt.probability(image)

    probability = np.asarray(Image.open(tmp_path / "out" / "probability" / "line.png"))
    assert probability.dtype == np.uint16
    np.testing.assert_allclose(probability, expected * 65535, atol=0.51)
    mask = np.asarray(Image.open(tmp_path / "out" / "mask" / "line.png"))
    np.testing.assert_array_equal(mask, np.where(expected >= 0.6, 255, 0))
    drawn = np.asarray(Image.open(tmp_path / "out" / "overlay" / "line.png"))
    np.testing.assert_array_equal(drawn, overlay(image, (expected >= 0.6).astype(np.uint8)))


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGB"), ("a.png", "RGBA"), ("a.png", "P"), ("a.bmp", "L"), ("a.tif", "LA")],
)
def test_images_of_any_mode_and_format_give_the_same_pngs(
    predictor: Predictor, tmp_path: Path, name: str, mode: str
) -> None:
    path = _save(tmp_path / name, _grey(12, 9), mode)
    predict_images(predictor, [path], tmp_path / "out")
    found = np.asarray(Image.open(tmp_path / "out" / "probability" / "a.png"))
    np.testing.assert_allclose(found, BrightIsSalt.probability(_grey(12, 9)) * 65535, atol=0.51)


def test_the_table_and_the_summary(predictor: Predictor, tmp_path: Path) -> None:
    dark, bright = np.zeros((10, 20), np.uint8), np.full((30, 10), 255, np.uint8)
    dark[0, 0], bright[0, 0] = 1, 254  # one grey level would be no seismic data
    _save(tmp_path / "set" / "deep" / "dark.png", dark)
    _save(tmp_path / "set" / "bright.png", bright)
    out = tmp_path / "out"
    summary = predict_images(predictor, [tmp_path / "set"], out)
    assert _table(out) == [
        {
            "input": str(tmp_path / "set" / name) + ".png",
            "name": name,
            "width": str(image.shape[1]),
            "height": str(image.shape[0]),
            "salt_share": share,
            "mean_probability": f"{BrightIsSalt.probability(image).mean():.6f}",
            "error": "",
        }
        for name, image, share in (
            ("bright", bright, "1.000000"),
            ("deep/dark", dark, "0.000000"),
        )
    ]
    assert summary == images.PredictionSummary(
        out, 2, 0.5, 0, 0.6, 0, predictor.grids, {}, model="small", tta="none"
    )
    assert summary.to_json() == {
        "out": str(out),
        "images": 2,
        "threshold": 0.5,
        "min_area": 0,
        "salt_share": 0.6,
        "in_windows": 0,
        "windows": [{"size": 32, "overlap": 0.25}],
        "failed": {},
        "model": "small",
        "tta": "none",
        "resampled": {},
        "unsure": {},
        "notes": [],
        "caveats": [],
    }


def test_the_threshold_is_the_bundles_unless_given(
    bundle: Bundle, bright: BrightIsSalt, tmp_path: Path
) -> None:
    info = bundle.info.model_copy(update={"threshold": 0.7})
    predictor = Predictor(dataclasses.replace(bundle, info=info), engine=bright)
    path = _save(tmp_path / "a.png", _grey(30, 30))
    shares = [
        predict_images(predictor, [path], tmp_path / "out", threshold=threshold).salt_share
        for threshold in (None, 0.5)
    ]
    probability = BrightIsSalt.probability(_grey(30, 30))
    assert shares == [pytest.approx((probability >= level).mean()) for level in (0.7, 0.5)]


def test_salt_of_too_few_pixels_is_left_out(
    bundle: Bundle, bright: BrightIsSalt, tmp_path: Path
) -> None:
    image = np.zeros((20, 20), np.uint8)
    image[:3, :3] = image[10, 10] = 255
    path = _save(tmp_path / "in.png", image)
    info = bundle.info.model_copy(update={"min_area": 2})
    predictor = Predictor(dataclasses.replace(bundle, info=info), engine=bright)
    for min_area, salt in ((None, 9), (0, 10), (10, 0)):
        out = tmp_path / f"out{min_area}"
        summary = predict_images(predictor, [path], out, min_area=min_area)
        assert summary.min_area == (2 if min_area is None else min_area)
        assert summary.salt_share == pytest.approx(salt / 400)
        assert np.asarray(Image.open(out / "mask" / "in.png")).sum() == 255 * salt
    with pytest.raises(ConfigError, match="the minimum component size is -1"):
        predict_images(predictor, [path], tmp_path / "none", min_area=-1)


def test_a_pixel_at_the_threshold_is_salt(bundle: Bundle, tmp_path: Path) -> None:
    class Undecided:
        name = "undecided"

        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.zeros_like(batch[:, :2])

    predictor = Predictor(bundle, engine=Undecided())
    path = _save(tmp_path / "a.png", _grey(5, 5))
    assert predict_images(predictor, [path], tmp_path / "out", threshold=0.5).salt_share == 1


@pytest.mark.parametrize("threshold", [0, 1, -0.2, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(
    predictor: Predictor, tmp_path: Path, threshold: float
) -> None:
    path = _save(tmp_path / "a.png", _grey(5, 5))
    with pytest.raises(ConfigError, match="the threshold is"):
        predict_images(predictor, [path], tmp_path / "out", threshold=threshold)


def test_a_bad_file_is_reported_and_the_rest_goes_on(predictor: Predictor, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for name in "abdef":
        _save(root / f"{name}.png", _grey(12, 12))
    whole = (root / "a.png").read_bytes()
    (root / "c.png").write_bytes(whole[: len(whole) // 2])
    seen: list[tuple[int, int]] = []
    summary = predict_images(
        predictor, [root], tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert summary.images == 5
    assert list(summary.failed) == [str(root / "c.png")]
    rows = _table(tmp_path / "out")
    assert [row["name"] for row in rows] == list("abcdef")
    assert [bool(row["error"]) for row in rows] == [False, False, True, False, False, False]
    assert rows[2]["width"] == rows[2]["salt_share"] == ""
    expected = [
        f"{folder}/{name}.png" for folder in ("mask", "overlay", "probability") for name in "abdef"
    ]
    assert _files(tmp_path / "out") == sorted([*expected, "predictions.csv"])
    assert seen == [(4, 6), (6, 6)]


def test_an_image_smaller_than_half_its_padding_is_predicted(
    bundle: Bundle, bright: BrightIsSalt, tmp_path: Path
) -> None:
    info = bundle.info.model_copy(update={"preprocess": PreprocessConfig(size=32, pad="reflect")})
    predictor = Predictor(dataclasses.replace(bundle, info=info), engine=bright)
    paths = [_save(tmp_path / f"{size}.png", _grey(size, size)) for size in (5, 40)]
    summary = predict_images(predictor, paths, tmp_path / "out")
    assert (summary.images, summary.failed) == (2, {})


def test_nothing_that_can_be_predicted_is_an_error_and_leaves_nothing(
    predictor: Predictor, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(DataError, match="none of 2 images can be predicted"):
        predict_images(predictor, [tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_process_predicts_into_a_folder_at_a_time(predictor: Predictor, tmp_path: Path) -> None:
    path = _save(tmp_path / "line.png", _grey(20, 30))
    out = tmp_path / "out"
    refused = pytest.raises(DataError, match=f"out is in use by process {os.getpid()} on ")
    with locked(out / ".lock", out), refused:
        predict_images(predictor, [path], out)
    assert not out.exists()


@forks
def test_the_same_call_completes_a_killed_prediction(predictor: Predictor, tmp_path: Path) -> None:
    path = _save(tmp_path / "in" / "line.png", _grey(20, 30))

    def contents(out: Path) -> dict[str, bytes]:
        return {name: (out / name).read_bytes() for name in _files(out)}

    predict_images(predictor, [path], tmp_path / "whole")
    expected = contents(tmp_path / "whole")
    kills = 0
    for moment in moments(3):
        out = tmp_path / str(moment)
        if not killed_at(moment, out, lambda out=out: predict_images(predictor, [path], out)):
            break
        kills += 1
        predict_images(predictor, [path], out)
        assert contents(out) == expected, moment
    assert kills > 3


def test_a_full_disk_leaves_nothing_half_written(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path / "a.png", _grey(12, 12))

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left on device") as caught:
        predict_images(predictor, [path], tmp_path / "out")
    assert "--out" in caught.value.fix
    assert _files(tmp_path / "out") == []


def test_other_files_are_not_overwritten(predictor: Predictor, tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", _grey(12, 12))
    mine = _save(tmp_path / "out" / "mask" / "a.png", _grey(12, 12, seed=1))
    before = mine.read_bytes()
    with pytest.raises(DataError, match="is not an earlier prediction"):
        predict_images(predictor, [path], tmp_path / "out")
    assert mine.read_bytes() == before
    assert _files(tmp_path) == ["a.png", "out/mask/a.png"]


def test_results_are_replaced_and_an_interrupted_prediction_is_repeated(
    predictor: Predictor, tmp_path: Path
) -> None:
    paths = [_save(tmp_path / "set" / f"{name}.png", _grey(12, 12)) for name in "abcdef"]
    out = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_images(predictor, paths, out, progress=stop)
    assert not (out / "predictions.csv").exists()
    for _ in range(2):
        assert predict_images(predictor, paths, out).images == 6
        assert {name.partition("/")[0] for name in _files(out)} == {
            "mask",
            "overlay",
            "predictions.csv",
            "probability",
        }


def test_an_earlier_prediction_of_others_is_replaced_whole_and_said(
    predictor: Predictor, tmp_path: Path
) -> None:
    for number, name in enumerate(("a/old.png", "a/deep/old.png", "a/both.png", "b/both.png")):
        _save(tmp_path / name, _grey(12, 12, seed=number))
    _save(tmp_path / "b" / "new.png", _grey(12, 12, seed=9))
    out = tmp_path / "out"
    assert predict_images(predictor, [tmp_path / "a"], out).notes == []
    (out / "mask" / "mine.txt").write_text("mine")
    notes = predict_images(predictor, [tmp_path / "b"], out).notes
    assert notes == [
        f"replaces an earlier prediction of 3 images in {out}",
        f"removed from {out}: the results of 2 images of an earlier prediction, not among these",
    ]
    pictures = [f"{kind}/{name}.png" for kind in ("mask", "overlay", "probability")
                for name in ("both", "new")]  # fmt: skip
    assert _files(out) == sorted([*pictures, "mask/mine.txt", "predictions.csv"])
    assert [row["name"] for row in _table(out)] == ["both", "new"]
    alone = tmp_path / "alone"
    predict_images(predictor, [tmp_path / "b"], alone)
    assert (out / "mask/both.png").read_bytes() == (alone / "mask/both.png").read_bytes()


def test_no_image_of_a_prediction_that_was_killed_stays(
    predictor: Predictor, tmp_path: Path
) -> None:
    old = [_save(tmp_path / "old" / f"o{number}.png", _grey(12, 12)) for number in range(6)]
    new = _save(tmp_path / "new.png", _grey(12, 12))
    out = tmp_path / "out"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_images(predictor, old, out, progress=stop)
    assert "mask/o0.png" in _files(out)
    (note,) = predict_images(predictor, [new], out).notes
    assert "the results of 3 images of an earlier prediction" in note
    assert len(_files(out)) == 4
    predict_images(predictor, old, out)
    with pytest.raises(KeyboardInterrupt):
        predict_images(predictor, [new], out, progress=stop)
    assert "removed" in predict_images(predictor, [new], out).notes[-1]
    assert len(_files(out)) == 4


def test_a_table_that_names_other_places_removes_nothing_there(
    predictor: Predictor, tmp_path: Path
) -> None:
    mine = _save(tmp_path / "mine.png", _grey(12, 12))
    path = _save(tmp_path / "a.png", _grey(12, 12))
    out = tmp_path / "out"
    predict_images(predictor, [path], out)
    table = out / "predictions.csv"
    table.write_text(table.read_text().replace(",a,", ",../../mine,"))
    (out / ".predicting").write_text(f"../../mine\n{tmp_path / 'mine'}\n\0\n")
    predict_images(predictor, [path], out)
    assert mine.exists()


def test_an_out_that_is_a_file_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", _grey(12, 12))
    (tmp_path / "out").write_text("mine")
    with pytest.raises(DataError, match="out is a file"):
        predict_images(predictor, [path], tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_out_may_be_a_link_to_a_folder(predictor: Predictor, tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", _grey(12, 12))
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    for _ in range(2):
        assert predict_images(predictor, [path], tmp_path / "out").images == 1
    assert (tmp_path / "disk" / "predictions.csv").exists()
    assert (tmp_path / "out").is_symlink()


def test_images_are_read_a_batch_at_a_time(
    predictor: Predictor, bright: BrightIsSalt, tmp_path: Path
) -> None:
    ahead: list[int] = []
    read = 0

    def reading() -> NDArray[np.uint8]:
        nonlocal read
        read += 1
        ahead.append(read - 3 * len(bright.batches))
        return _grey(12, 12)

    sources = [
        Source(tmp_path / str(place), str(place), reading, stored=_grey(12, 12))
        for place in range(10)
    ]
    found = Found(sources, [])
    assert predict_images(predictor, [], tmp_path / "out", found=found).images == 10
    assert max(ahead) == predictor.batch == 3


def test_names_that_spreadsheets_would_take_for_formulas(
    predictor: Predictor, tmp_path: Path
) -> None:
    _save(tmp_path / "in" / "=1+1.png", _grey(20, 20))
    predict_images(predictor, [tmp_path / "in"], tmp_path / "out")
    (row,) = _table(tmp_path / "out")
    assert row["name"] == "'=1+1"
    assert (tmp_path / "out" / "mask" / "=1+1.png").is_file()


def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    predictor: Predictor, bright: BrightIsSalt, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    _save(tmp_path / "in" / "a.png", _grey(20, 20))
    seen = []
    image = _grey(20, 20)
    source = Source(tmp_path / "in" / "a.png", "a", lambda: seen.append(1) or image, stored=image)
    found = Found([source], [])
    with pytest.raises(DataError, match="cannot be written"):
        predict_images(predictor, [], tmp_path / "file" / "out", found=found)
    assert not seen
