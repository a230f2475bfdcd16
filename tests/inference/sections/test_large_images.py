"""Images larger than a tile, and tiles beside them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.bundle import SurveySettings
from diapir.errors import ConfigError
from diapir.inference import Predictor, predict_images
from diapir.inference.sections.large_images import LargeImageOptions, LargeImages
from tests.helpers.tiny import small_bundle
from tests.surveys.made import Pointwise, predictor

WINDOW = 32


def waves(period: float, height: int = 200, width: int = 60) -> np.ndarray:
    """Dipping layers of one period."""
    dip = np.arange(height)[:, None] + 0.2 * np.arange(width)
    return np.rint(127 + 90 * np.sin(2 * np.pi * dip / period)).astype(np.uint8)


def large(**options: object) -> LargeImages:
    return LargeImages(predictor(Pointwise(), WINDOW), LargeImageOptions(**options))


def test_fine_sampling_is_squeezed_and_comes_back() -> None:
    images, picture = large(), waves(40)
    prepared = images.prepare("line", picture)
    assert len(prepared.image) == pytest.approx(200 * 4 / 10, rel=0.06)
    assert images.factors["line"] == pytest.approx(len(prepared.image) / 200)
    probability = prepared.restored(np.full(prepared.image.shape, 0.7, np.float32))
    assert probability.shape == picture.shape
    np.testing.assert_allclose(probability, 0.7, atol=1e-5)
    (note,) = images.notes()
    assert "resampled by 0." in note
    assert "--match-sampling none" in note


def test_sampling_as_in_training_stays() -> None:
    images, picture = large(), waves(14)
    assert images.prepare("line", picture).image is picture
    assert not images.factors
    assert "not resampled" in images.notes()[0]


def test_a_low_picture_is_not_squeezed_below_a_window() -> None:
    images = large()
    assert len(images.prepare("low", waves(60, height=64)).image) == WINDOW
    short = waves(60, height=20, width=200)
    assert images.prepare("lower", short).image is short
    asked = large(match_sampling=0.25)
    assert len(asked.prepare("low", waves(14, height=64)).image) == WINDOW
    assert asked.factors == {"low": 0.5}


def test_tiles_stay_as_they_are() -> None:
    images = large(match_sampling=2.0)
    tile = np.zeros((WINDOW, WINDOW), np.uint8)
    tile[:, :5] = 200
    prepared = images.prepare("tile", tile)
    assert prepared.image is tile
    assert prepared.empty is None
    assert images.notes() == []


def test_a_factor_can_be_given_or_left_out() -> None:
    picture = waves(40)
    assert len(large(match_sampling=1.5).prepare("line", picture).image) == 300
    images = large(match_sampling="none")
    assert images.prepare("line", picture).image is picture
    assert "as --match-sampling asks" in images.notes()[0]


def test_pictures_are_resampled_as_those_that_the_model_was_adapted_to(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "model", survey=SurveySettings(vertical=2, horizontal=1.5))
    images = LargeImages(Predictor(bundle), LargeImageOptions())
    picture = waves(14)
    picture[:, 50:] = 30
    prepared = images.prepare("line", picture)
    assert prepared.image.shape == (400, 90)
    probability = prepared.restored(np.ones(prepared.image.shape, np.float32))
    assert probability.shape == picture.shape
    assert set(np.unique(probability[:, 50:])) == {0}
    assert probability[:, :50].min() == 1
    tile = np.ones((images.tile, images.tile), np.uint8)
    assert images.prepare("tile", tile).empty is None
    sampling, blank = images.notes()
    assert "2 images resampled for the network, as in the data that the model was ad" in sampling
    assert "(--match-sampling FACTOR sets another)" in sampling
    assert "16.7 % of pixels, in 1 image, are no data" in blank


def test_several_images_are_told_together() -> None:
    images = large()
    for name, period in (("a", 40), ("b", 50), ("c", 14)):
        images.prepare(name, waves(period))
    assert "2 of 3 images larger than a tile resampled" in images.notes()[0]
    same = large()
    for name in "ab":
        same.prepare(name, waves(14))
    assert "none of 2 images" in same.notes()[0]


@pytest.mark.parametrize(
    ("options", "named"), [({"match_sampling": 9.0}, "match"), ({"equal_runs": 1}, "equal-runs")]
)
def test_options_out_of_range_are_refused(options: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        LargeImageOptions(**options)


def test_blank_strips_are_never_salt(tmp_path: Path) -> None:
    picture = np.random.default_rng(4).integers(0, 140, (120, 90), dtype=np.uint8)
    picture[:, 80:] = 250  # salt for this network
    picture[:7] = 250
    Image.fromarray(picture).save(tmp_path / "line.png")
    network = predictor(Pointwise(), WINDOW)

    def mask(out: str, **options: object) -> np.ndarray:
        summary = predict_images(
            network, [tmp_path / "line.png"], tmp_path / out, large=LargeImageOptions(**options)
        )
        assert summary.to_json()["notes"] == summary.notes
        found = np.asarray(Image.open(tmp_path / out / "mask" / "line.png"))
        return np.concatenate(([len(summary.notes)], found.ravel()))

    kept, left = mask("kept", equal_runs="none"), mask("left")
    empty = np.zeros(picture.shape, bool)
    empty[:7] = empty[:, 80:] = True
    assert kept[0] == 1
    assert left[0] == 2
    assert left[1:][empty.ravel()].max() == 0
    assert kept[1:][empty.ravel()].mean() > 200
    np.testing.assert_array_equal(left[1:][~empty.ravel()], kept[1:][~empty.ravel()])
