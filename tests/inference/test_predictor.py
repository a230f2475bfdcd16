import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from diapir.architectures import UNetConfig
from diapir.bundle import Bundle, BundleInfo
from diapir.bundle.info import Export, Parity
from diapir.config import PreprocessConfig
from diapir.errors import BundleError, ConfigError
from diapir.inference import EngineOptions, Ensemble, Predictor, with_windows
from diapir.inference.engines.engine import salt_probability
from diapir.inference.tiling import WindowGrid
from tests.inference.conftest import SIZE, BrightIsSalt


def _image(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(
    shapes=st.lists(st.tuples(st.integers(1, 80), st.integers(1, 80)), max_size=5),
    batch=st.integers(1, 7),
)
def test_images_of_any_size_come_out_as_the_pixels_say(
    bundle: Bundle, shapes: list[tuple[int, int]], batch: int
) -> None:
    images = [_image(*shape, seed=place) for place, shape in enumerate(shapes)]
    engine = BrightIsSalt()
    found = Predictor(bundle, EngineOptions(batch=batch), engine=engine).probabilities(images)
    assert len(found) == len(images)
    for image, probability in zip(images, found, strict=True):
        assert probability.dtype == np.float32
        assert probability.min() >= 0
        assert probability.max() <= 1
        expected = engine.probability(image) if np.ptp(image) else np.zeros(image.shape)
        np.testing.assert_allclose(probability, expected, atol=1e-6)


def test_one_grey_level_holds_no_salt(bundle: Bundle, bright: BrightIsSalt) -> None:
    plain, speckled = np.full((20, 20), 255, np.uint8), np.full((20, 20), 255, np.uint8)
    speckled[3, 4] = 254
    for tta in ("none", "flip"):
        found = Predictor(bundle, EngineOptions(tta=tta), engine=bright).probabilities(
            [plain, speckled]
        )
        assert not found[0].any()
        np.testing.assert_allclose(found[1], bright.probability(speckled), atol=1e-6)


def test_batches_are_full_whatever_the_shapes(bundle: Bundle, bright: BrightIsSalt) -> None:
    images = [_image(10 + place % 3, 20) for place in range(10)]
    Predictor(bundle, EngineOptions(batch=4), engine=bright).probabilities(images)
    assert bright.batches == [(4, 3, SIZE, SIZE), (4, 3, SIZE, SIZE), (2, 3, SIZE, SIZE)]


def test_padding_is_cropped_where_it_was_added(bundle: Bundle) -> None:
    class Columns:
        name = "columns"

        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            salt = np.broadcast_to(np.arange(SIZE) - 12.0, batch[:, 0].shape)
            return np.stack([np.zeros_like(salt), salt], axis=1).astype(np.float32)

    (probability,) = Predictor(bundle, engine=Columns()).probabilities([_image(6, 7)])
    # 25 columns are added, 12 of them on the left
    expected = 1 / (1 + np.exp(-np.arange(7.0)))
    np.testing.assert_allclose(probability, np.tile(expected, (6, 1)), rtol=1e-6)


def test_progress_counts_windows(bundle: Bundle, bright: BrightIsSalt) -> None:
    seen: list[tuple[int, int]] = []
    images = [_image(SIZE, SIZE), _image(SIZE, 2 * SIZE)]  # 1 window and 3
    Predictor(bundle, EngineOptions(batch=3), engine=bright).probabilities(
        images, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(3, 4), (4, 4)]


def test_windows_of_one_grey_level_are_not_predicted(bundle: Bundle, bright: BrightIsSalt) -> None:
    seen: list[tuple[int, int]] = []
    still = np.full((SIZE, 5 * SIZE), 90, np.uint8)
    half = np.concatenate([_image(SIZE, 2 * SIZE), still], axis=1)
    predictor = Predictor(bundle, EngineOptions(batch=2, tta="flip"), engine=bright)
    found, nothing = predictor.probabilities(
        [half, still], progress=lambda done, total: seen.append((done, total))
    )
    every = 2 * sum(predictor.grid.count(*image.shape) for image in (half, still))
    assert sum(shape[0] for shape in bright.batches) < every / 2
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (every, every)
    assert not nothing.any()
    assert not found[:, -4 * SIZE :].any()
    assert found[:, : 2 * SIZE].all()


def test_logits_beyond_the_range_of_exp() -> None:
    logits = np.array([[[0, 1e4, -1e4, 3]], [[0, -1e4, 1e4, 1]]], np.float32)
    expected = [[0.5, 0, 1, 1 / (1 + np.exp(2))]]
    np.testing.assert_allclose(salt_probability(logits), expected, rtol=1e-6)


def test_no_number_is_no_probability(bundle: Bundle) -> None:
    class Diverged:
        name = "diverged"

        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            logits = np.zeros((len(batch), 2, SIZE, SIZE), np.float32)
            logits[-1, 0, 16, 16] = np.nan
            return logits

    with pytest.raises(BundleError, match="NaN"):
        Predictor(bundle, engine=Diverged()).probabilities([_image(10, 10), _image(10, 10)])


@pytest.mark.parametrize("size", [(5, 5), (3, 500), (10, 1)])
def test_an_image_too_small_to_be_reflected_once_is_reflected_repeatedly(
    bundle: Bundle, bright: BrightIsSalt, size: tuple[int, int]
) -> None:
    info = bundle.info.model_copy(update={"preprocess": PreprocessConfig(size=32, pad="reflect")})
    predictor = Predictor(dataclasses.replace(bundle, info=info), engine=bright)
    (found,) = predictor.probabilities([_image(*size)])
    np.testing.assert_allclose(found, BrightIsSalt.probability(_image(*size)), atol=1e-5)


def test_a_run_folder_is_a_model(bundle: Bundle) -> None:
    images = [_image(20, 20), _image(50, 70)]
    of_run = Predictor.load(bundle.path.parent, EngineOptions(device="cpu")).probabilities(images)
    of_bundle = Predictor(bundle, EngineOptions(device="cpu", batch=1)).probabilities(images)
    for first, second in zip(of_run, of_bundle, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_larger_images_are_cut_into_windows_like_the_tiles_it_learnt_from(
    bundle: Bundle, bright: BrightIsSalt
) -> None:
    """The ring that pads a tile was ignored in training: no pixel may take its value from it."""
    tile = SIZE - 6
    learnt = dataclasses.replace(bundle, info=bundle.info.model_copy(update={"tile": tile}))

    class InnerOnly(BrightIsSalt):
        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            logits = super().logits(batch)
            ring = np.ones((SIZE, SIZE), bool)
            ring[3:-3, 3:-3] = False
            logits[:, 1, ring] = 50
            return logits

    image = _image(SIZE + 20, SIZE)
    (found,) = Predictor(learnt, engine=InnerOnly()).probabilities([image])
    (expected,) = Predictor(learnt, engine=bright).probabilities([image])
    np.testing.assert_array_equal(found, expected)


def trained_on(bundle: Bundle, *windows: int, **info: object) -> Bundle:
    """The same model, trained on windows of sections."""
    changed = bundle.info.model_copy(update={"windows": windows, **info})
    return dataclasses.replace(bundle, info=changed)


@pytest.mark.parametrize(
    ("windows", "grid"),
    [
        ((), WindowGrid(26, 0.25)),
        ((26,), WindowGrid(26, 0.5)),
        ((26, 30), WindowGrid(30, 0.5)),
        ((26, 64, 96), WindowGrid(SIZE, 0.5)),
    ],
)
def test_windows_fill_the_input_if_such_were_trained_on(
    bundle: Bundle, windows: tuple[int, ...], grid: WindowGrid
) -> None:
    assert Predictor(trained_on(bundle, *windows, tile=26), engine=BrightIsSalt()).grid == grid


def test_a_window_chosen_by_measurement_is_kept(bundle: Bundle) -> None:
    chosen = trained_on(bundle, 26, 64, 96, tile=26, section_window=64)
    assert Predictor(chosen, engine=BrightIsSalt()).grid == WindowGrid(64, 0.5)


def test_models_of_older_versions_say_only_that_there_were_windows(bundle: Bundle) -> None:
    filling = WindowGrid(SIZE, 0.5)
    old = trained_on(bundle, tile=26, training={"windows": "96 sections of a mosaic"})
    assert Predictor(old, engine=BrightIsSalt()).grid == filling
    one, other = {"name": "one"}, {"name": "other", "windows": "96 sections"}
    for members, grid in (([other, other], filling), ([one, other], WindowGrid(26, 0.25))):
        mean = trained_on(bundle, tile=26, training={"mean of": members})
        assert Predictor(mean, engine=BrightIsSalt()).grid == grid


def large(bundle: Bundle, engine: object, overlap: float = 0.5) -> Predictor:
    """A predictor with windows of three inputs' side."""
    predictor = Predictor(bundle, EngineOptions(batch=16), engine=engine)  # type: ignore[arg-type]
    return predictor.with_grids([WindowGrid(3 * SIZE, overlap)])


def test_batches_of_large_windows_hold_as_many_pixels(bundle: Bundle, bright: BrightIsSalt) -> None:
    image = _image(96, 150)
    (found,) = large(bundle, bright).probabilities([image])
    np.testing.assert_allclose(found, bright.probability(image), atol=1e-6)
    assert bright.batches == [(1, 3, 96, 96)] * 3


@pytest.mark.parametrize(("shape", "room"), [((5, 40), (32, 64)), ((33, 70), (64, 96))])
def test_sections_smaller_than_a_window_are_padded_to_the_next_input(
    bundle: Bundle, bright: BrightIsSalt, shape: tuple[int, int], room: tuple[int, int]
) -> None:
    image = _image(*shape)
    (found,) = large(bundle, bright).probabilities([image])
    np.testing.assert_allclose(found, bright.probability(image), atol=1e-6)
    assert bright.batches == [(1, 3, *room)]


def test_images_of_one_row_are_mirrored_as_often_as_needed(bright: BrightIsSalt) -> None:
    config = PreprocessConfig(size=32, pad="reflect")
    info = BundleInfo(name="mirror", model=UNetConfig(), preprocess=config, weights_sha256="0" * 64)
    image = _image(1, 90)
    (found,) = Predictor(Bundle(Path("mirror"), info), engine=bright).probabilities([image])
    np.testing.assert_allclose(found, bright.probability(image), atol=1e-6)


class Edges(BrightIsSalt):
    """A network that sees three pixels around each, and no more at the edge of its input."""

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        grey = np.pad(batch[:, 0], ((0, 0), (3, 3), (3, 3)))
        views = sliding_window_view(grey, (7, 7), axis=(1, 2))
        salt = views.mean(axis=(3, 4), dtype=np.float64).astype(np.float32)
        return np.stack([np.zeros_like(salt), 4 * salt], axis=1)


@settings(max_examples=20, deadline=None)
@given(down=st.integers(0, 47), across=st.integers(0, 47))
def test_the_answer_does_not_depend_on_the_position_of_the_grid(
    bundle: Bundle, down: int, across: int
) -> None:
    """Cutting rows and columns off a section moves all windows over what is left."""
    image = _image(200, 180)
    whole, rest = large(bundle, Edges()).probabilities([image, image[down:, across:]])
    inner = whole[down + 8 : -8, across + 8 : -8]
    assert np.abs(inner - rest[8:-8, 8:-8]).max() < 0.02


def test_windows_without_a_live_column_are_not_computed(
    bundle: Bundle, bright: BrightIsSalt
) -> None:
    image, live = _image(SIZE, 4 * SIZE), np.zeros(4 * SIZE, bool)
    live[:SIZE] = True
    predictor = Predictor(bundle, engine=bright).with_grids([WindowGrid(SIZE, 0.0)])
    (found,) = predictor.probabilities([image], live=[live])
    np.testing.assert_allclose(found[:, live], bright.probability(image[:, live]), atol=1e-6)
    assert not found[:, ~live].any()
    assert bright.batches == [(1, 3, SIZE, SIZE)]


def test_networks_of_one_size_take_no_larger_windows(bundle: Bundle) -> None:
    parity = Parity(
        reference="none", data="none", tiles=1, pixels=1, logit=0, probability=0, flipped=0
    )
    export = Export(
        form="onnx", files={"model.onnx": "0"}, half=False, any_size=False, parity=parity
    )
    fixed = trained_on(bundle, export=export)
    predictor = Predictor(fixed, engine=BrightIsSalt())
    assert predictor.grid == WindowGrid(SIZE, 0.25)
    with pytest.raises(ConfigError, match="32 px images only"):
        with_windows(predictor, size=64)


def test_models_keep_their_own_windows_together(bundle: Bundle) -> None:
    tiles = Predictor(bundle, engine=BrightIsSalt())
    other = trained_on(bundle, weights_sha256="1" * 64)
    both = Ensemble([tiles, large(other, BrightIsSalt())])
    assert both.grids == (WindowGrid(SIZE, 0.25), WindowGrid(96, 0.5))
    denser = with_windows(both, overlap=0.6)
    assert denser.grids == (WindowGrid(SIZE, 0.6), WindowGrid(96, 0.6))
    assert with_windows(both) is both
    image = _image(150, 150)
    (found,) = with_windows(both, size=64).probabilities([image])
    np.testing.assert_allclose(found, BrightIsSalt.probability(image), atol=1e-6)


class LeftIsSalt(BrightIsSalt):
    """A network that sees salt on the left, whatever is there: a mirror image sees it right."""

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = super().logits(batch)
        logits[:, 1] = np.linspace(3, -3, batch.shape[-1])
        return logits


def test_mirror_images_are_turned_back_and_averaged(bundle: Bundle, bright: BrightIsSalt) -> None:
    images = [_image(20, 21), _image(2 * SIZE, SIZE)]
    plain = Predictor(bundle, engine=LeftIsSalt()).probabilities(images)
    both = Predictor(bundle, EngineOptions(tta="flip"), engine=LeftIsSalt()).probabilities(images)
    for one, two in zip(plain, both, strict=True):
        np.testing.assert_allclose(two, (one + one[:, ::-1]) / 2, atol=1e-6)
    # what looks at each pixel alone says of it the same from both sides
    for image, probability in zip(
        images,
        Predictor(bundle, EngineOptions(tta="flip"), engine=bright).probabilities(images),
        strict=True,
    ):
        np.testing.assert_allclose(probability, bright.probability(image), atol=1e-6)


def test_mirroring_is_the_bundles_unless_given(bundle: Bundle) -> None:
    info = bundle.info.model_copy(update={"tta": "flip", "threshold": 0.4, "min_area": 7})
    flipping = dataclasses.replace(bundle, info=info)
    seen: list[tuple[int, int]] = []
    for tta, batches in ((None, 2), ("none", 1), ("flip", 2)):
        engine = BrightIsSalt()
        predictor = Predictor(flipping, EngineOptions(batch=1, tta=tta), engine=engine)  # type: ignore[arg-type]
        predictor.probabilities(
            [_image(9, 9)], progress=lambda done, total: seen.append((done, total))
        )
        assert len(engine.batches) == batches
    assert seen == [(1, 2), (2, 2), (1, 1), (1, 2), (2, 2)]
    predictor = Predictor(flipping, engine=BrightIsSalt())
    assert (predictor.threshold, predictor.min_area) == (0.4, 7)
    assert predictor.describe()["tta"] == "flip"
