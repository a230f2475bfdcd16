"""Timings are what was measured of the tiles they name, and nothing of how fast that is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.bundle import Bundle
from diapir.inference import EngineOptions, Predictor, latency, measure_latency
from tests.inference.conftest import SIZE, BrightIsSalt


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only moves when the engine computes; the seconds each call takes."""
    now = [0.0]
    taken: list[float] = []
    monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])

    def logits(self: BrightIsSalt, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(batch.shape)
        taken.append(next(durations) * len(batch))
        now[0] += taken[-1]
        return np.zeros((len(batch), 2, SIZE, SIZE), np.float32)

    durations = itertools.cycle([0.5, 0.1, 0.3])
    monkeypatch.setattr(BrightIsSalt, "logits", logits)
    return taken


def test_medians_of_one_tile_and_of_a_batch(
    bundle: Bundle, bright: BrightIsSalt, clock: list[float]
) -> None:
    found = measure_latency(Predictor(bundle, engine=bright))

    alone = [shape for shape in bright.batches if shape[0] == 1]
    together = [shape for shape in bright.batches if shape[0] == 16]
    assert set(bright.batches) == {(1, 3, SIZE, SIZE), (16, 3, SIZE, SIZE)}
    assert found.tile_ms == pytest.approx(1000 * np.median(clock[1 : len(alone)]))
    assert found.batch_ms == pytest.approx(1000 * np.median(clock[len(alone) + 1 :]))
    assert (found.batch, found.engine, found.threads) == (16, "bright", 1)
    # the first call does not count; then as many as fit into two seconds, and three at least
    assert sum(clock[1 : len(alone) - 1]) < 2 <= sum(clock[1 : len(alone)])
    assert len(together) == 1 + 3


def test_a_quick_model_is_timed_a_limited_number_of_times(
    bundle: Bundle, bright: BrightIsSalt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "SECONDS", float("inf"))
    measure_latency(Predictor(bundle, engine=bright))
    assert len(bright.batches) == 2 * (1 + 50)


def test_a_real_engine_tells_its_threads(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SECONDS", 0.0)
    found = measure_latency(Predictor(bundle, EngineOptions(device="cpu", threads=1)))
    assert (found.engine, found.threads) == ("torch on cpu", 1)
    assert 0 < found.tile_ms < found.batch_ms
