import numpy as np
from numpy.typing import NDArray

from diapir.surveys.prediction import window_size as tile
from diapir.surveys.prediction.window_size import fastest_tile, is_local, with_tile
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


def test_a_network_that_pools_keeps_its_own_tile() -> None:
    found, rate = fastest_tile(predictor(Pooling(), 16, tile=12), 100, 100)
    assert found == 12
    assert rate > 0


def test_larger_tiles_are_tried_for_local_networks_up_to_the_section(monkeypatch) -> None:
    monkeypatch.setattr(tile, "windows_per_second", lambda segmenter: 1000.0)
    # if windows of every size take as long, the one that needs fewest wins
    assert fastest_tile(predictor(Pointwise(), 16, tile=12), 64, 40)[0] == 64
    assert fastest_tile(predictor(Pointwise(), 16, tile=12), 20, 18)[0] == 32
    # and if they take as long as they have pixels, the padded ring is what there is to save
    monkeypatch.setattr(
        tile,
        "windows_per_second",
        lambda segmenter: 1e6 / segmenter.bundles[0].info.preprocess.size ** 2,
    )
    assert fastest_tile(predictor(Pointwise(), 16, tile=12), 28, 28)[0] == 16


def test_speed_is_measured_on_whole_windows() -> None:
    engine = Costly()
    assert tile.windows_per_second(with_tile(predictor(engine, 16, tile=12), 32)) > 0
    assert set(engine.seen) == {(32, 32)}
