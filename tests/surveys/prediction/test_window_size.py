import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.inference import Predictor, Segmenter, with_windows
from diapir.surveys.prediction import window_size
from diapir.surveys.prediction.window_size import fastest_windows, is_local
from tests.surveys.made import Pointwise, Pooling, Smoothing, predictor


def test_networks_that_pool_are_found_out() -> None:
    assert is_local(predictor(Pointwise()))
    assert is_local(predictor(Smoothing()))
    assert not is_local(predictor(Pooling()))


class Costly(Pointwise):
    """Notes the windows it is shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.seen.append(batch.shape[2:])
        return super().logits(batch)


def fastest(model: Predictor, traces: int, samples: int) -> int:
    """The size of the windows that are found to be the fastest."""
    return fastest_windows(model, traces, samples)[0].grids[0].size


def test_a_network_that_pools_keeps_its_own_windows() -> None:
    model = predictor(Pooling(), 16, tile=12)
    found, rate = fastest_windows(model, 100, 100)
    assert found is model
    assert rate > 0


def test_larger_windows_are_tried_for_local_networks_up_to_the_section(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(window_size, "windows_per_second", lambda segmenter: 1000.0)
    # if windows of every size take as long, the one that needs fewest wins
    assert fastest(predictor(Pointwise(), 16, tile=12), 64, 40) == 64
    assert fastest(predictor(Pointwise(), 16, tile=12), 20, 18) == 32

    def by_pixels(segmenter: Segmenter) -> float:
        return 1e6 / max(grid.size for grid in segmenter.grids) ** 2

    # and if they take as long as they have pixels, the padded ring is what there is to save
    monkeypatch.setattr(window_size, "windows_per_second", by_pixels)
    assert fastest(predictor(Pointwise(), 16, tile=12), 28, 28) == 16


def test_windows_are_only_made_larger() -> None:
    model = with_windows(predictor(Pointwise(), 16, tile=12), size=48)
    assert fastest_windows(model, 40, 40)[0] is model


def test_speed_is_measured_on_whole_windows() -> None:
    engine = Costly()
    larger = with_windows(predictor(engine, 16, tile=12), size=32)
    assert window_size.windows_per_second(larger) > 0
    assert set(engine.seen) == {(32, 32)}
