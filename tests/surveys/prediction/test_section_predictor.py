import numpy as np
import pytest

from diapir.inference import with_windows
from diapir.surveys.prediction.section_predictor import SectionPredictor
from tests.surveys.made import Pointwise, Smoothing, predictor, probability_of


def section(traces: int, samples: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (traces, samples), dtype=np.uint8)


@pytest.mark.parametrize("shape", [(50, 37), (16, 16), (40, 5), (3, 60), (1, 2), (2, 90)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
def test_windows_add_up_to_the_untiled_answer(shape: tuple[int, int], overlap: float) -> None:
    grey = section(*shape)
    model = with_windows(predictor(Pointwise()), overlap=overlap)
    (found,) = SectionPredictor(model).probabilities([grey])
    assert found.shape == shape
    np.testing.assert_allclose(found, probability_of(grey), atol=1e-5)


def test_a_network_that_sees_its_neighbours_gives_nearly_the_untiled_answer() -> None:
    grey = section(96, 96)
    model = predictor(Smoothing(), 32)
    sections = SectionPredictor(with_windows(model, overlap=0.5))
    whole = SectionPredictor(with_windows(model, size=96))
    (tiled,), (untiled,) = sections.probabilities([grey]), whole.probabilities([grey])
    # where a window ends the network sees less than there is, but there the window hardly counts
    assert np.abs(tiled - untiled).max() < 0.04


def test_time_runs_down_the_windows() -> None:
    """`Smoothing` looks downwards in its window: only samples above a bright one may see it."""
    grey = np.full((40, 40), 118, np.uint8)
    grey[20, 20] = 255
    (found,) = SectionPredictor(predictor(Smoothing(), 40)).probabilities([grey])
    changed = np.argwhere(np.abs(found - found[0, 0]) > 1e-3)
    assert set(changed[:, 0]) == {19, 20, 21}
    assert set(changed[:, 1]) == {17, 18, 19, 20}


def test_polarity() -> None:
    grey = section(30, 30)
    model = predictor(Pointwise())
    normal, opposite, both = (
        SectionPredictor(model, polarity=polarity).probabilities([grey])[0]
        for polarity in ("normal", "reversed", "both")
    )
    np.testing.assert_allclose(opposite, probability_of(255 - grey), atol=1e-5)
    np.testing.assert_allclose(both, (normal + opposite) / 2, atol=1e-6)


def test_stretched_sections_come_back_at_their_own_size() -> None:
    smooth = np.tile(128 + 100 * np.sin(np.arange(60) / 5), (20, 1)).astype(np.uint8)
    (plain,) = SectionPredictor(predictor(Pointwise())).probabilities([smooth])
    sections = SectionPredictor(predictor(Pointwise()), stretch=2.2)
    (found,) = sections.probabilities([smooth])
    assert sections.seen_samples(60) == 132
    assert found.shape == (20, 60)
    np.testing.assert_allclose(found, plain, atol=0.03)
    assert found.min() >= 0
    assert found.max() <= 1


def test_windows_without_a_live_trace_are_not_computed() -> None:
    engine = Pointwise()
    seen = []

    def counted(batch: np.ndarray) -> np.ndarray:
        seen.append(len(batch))
        return Pointwise().logits(batch)

    engine.logits = counted  # type: ignore[method-assign]
    sections = SectionPredictor(with_windows(predictor(engine), overlap=0.0))
    grey = section(64, 32)
    live = np.zeros(64, bool)
    live[:16] = True
    (found,) = sections.probabilities([grey], [live])
    assert sum(seen) == 2
    np.testing.assert_allclose(found[:16], probability_of(grey[:16]), atol=1e-5)
    assert not found[16:].any()


@pytest.mark.parametrize(("stretch", "windows"), [(1.0, 4), (2.0, 16)])
def test_windows_without_data_are_not_computed(stretch: float, windows: int) -> None:
    engine = Smoothing()
    seen = []

    def counted(batch: np.ndarray) -> np.ndarray:
        seen.append(len(batch))
        return Smoothing().logits(batch)

    engine.logits = counted  # type: ignore[method-assign]
    model = with_windows(predictor(engine), overlap=0.0)
    sections = SectionPredictor(model, stretch=stretch)
    grey = section(32, 64)
    data = np.zeros((32, 64), bool)
    data[:, 33:] = True  # water above: half of the windows
    (found,) = sections.probabilities([grey], [data])
    assert sum(seen) == windows
    (whole,) = sections.probabilities([grey])
    np.testing.assert_array_equal(found[data], whole[data])


def test_small_sections_share_batches() -> None:
    sections = SectionPredictor(predictor(Pointwise(), batch=8))
    assert sections.together(16, 16) == 8
    assert sections.together(16, 60) == 8
    assert sections.together(60, 60) == 8
    assert sections.together(130, 130) == 2
    assert sections.together(200, 200) == 1
    greys = [section(10, 12, seed) for seed in range(5)]
    for grey, found in zip(greys, sections.probabilities(greys), strict=True):
        np.testing.assert_allclose(found, probability_of(grey), atol=1e-5)
