"""Windows in batches, and batches run on several threads."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.bundle import Bundle
from diapir.inference import EngineOptions, Predictor
from diapir.inference.engines.engine import lanes_of
from diapir.inference.sections.window_batches import batches, in_order
from diapir.inference.tiling import WindowGrid
from tests.inference.conftest import SIZE, BrightIsSalt


class Wide(BrightIsSalt):
    """An engine whose lanes record the batches and the threads that run them."""

    threads = 3
    lanes = 3
    batch = 24
    even = False

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[tuple[int, str]] = []

    def lane(self, threads: int) -> "Wide":
        return self

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.runs.append((len(batch), threading.current_thread().name))
        return super().logits(batch)


class Even(Wide):
    even = True


def images(count: int, side: int = 3 * SIZE) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (side, side), dtype=np.uint8) for _ in range(count)]


def test_results_come_in_order_whatever_takes_longest() -> None:
    def slow(number: int) -> int:
        time.sleep(0.01 * (number % 3 == 0))
        return number**2

    found = list(in_order(slow, range(20), 3))
    assert found == [(number, number**2) for number in range(20)]


def test_items_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    stream = in_order(str, numbers(), 2)
    assert next(stream) == (0, "0")
    assert 2 <= len(taken) <= 6
    stream.close()
    assert not [one for one in threading.enumerate() if "diapir-lane" in one.name]


def test_what_a_lane_raises_is_raised() -> None:
    def fail(number: int) -> int:
        raise ValueError(f"number {number}")

    with pytest.raises(ValueError, match="number 0"):
        list(in_order(fail, range(9), 2))


def test_a_batch_ends_the_images_whose_last_window_it_holds(bundle: Bundle) -> None:
    predictor = Predictor(bundle, engine=BrightIsSalt(), grid=WindowGrid(SIZE, 0.0))
    made = [predictor._windows(image, None) for image in images(2, 2 * SIZE)]
    blank = predictor._windows(np.full((SIZE, SIZE), 7, np.uint8), None)
    found = list(batches([made[0], blank, made[1]], lambda room: 3))
    assert [len(batch.patches) for batch in found] == [3, 3, 2]
    ends = [[len(end) for end in batch.ends] for batch in found]
    assert ends == [[], [2 * SIZE, SIZE], [2 * SIZE]]


@pytest.mark.parametrize("kind", [Wide, Even])
def test_several_batches_run_in_lanes_with_the_same_result(
    bundle: Bundle, kind: type[Wide]
) -> None:
    plain = Predictor(bundle, EngineOptions(batch=6), engine=BrightIsSalt())
    engine = kind()
    assert lanes_of(engine) == 3
    wide = Predictor(bundle, EngineOptions(batch=6), engine=engine)
    for one, other in zip(
        plain.probabilities(images(3)), wide.probabilities(images(3)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    sizes = [count for count, _ in engine.runs]
    assert max(sizes) == 2  # a third of a batch each
    assert all("diapir-lane" in name for _, name in engine.runs)
    assert len(set(sizes)) == 1 if kind is Even else sum(sizes) == 3 * 16


def test_one_batch_has_all_threads(bundle: Bundle) -> None:
    engine = Wide()
    Predictor(bundle, EngineOptions(batch=6), engine=engine).probabilities(images(2, SIZE))
    assert engine.runs == [(2, "MainThread")]


def test_a_stream_is_the_same_as_each_group_alone(bundle: Bundle) -> None:
    for engine in (BrightIsSalt(), Wide()):
        predictor = Predictor(bundle, EngineOptions(batch=5), engine=engine)
        groups = [images(2), [np.zeros((40, 40), np.uint8)], images(3, 2 * SIZE)]
        found = list(predictor.stream((group, None) for group in groups))
        expected = [one for group in groups for one in predictor.probabilities(group)]
        assert len(found) == 6
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_engine_knows_how_many_windows_it_is_fastest_with(bundle: Bundle) -> None:
    assert Predictor(bundle, engine=Wide()).batch == 24
    assert Predictor(bundle, engine=BrightIsSalt()).batch == 16
    assert Predictor(bundle, EngineOptions(batch=5), engine=Wide()).batch == 5
