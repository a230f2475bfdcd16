"""How long a model takes: one tile alone, and many at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from diapir.inference.predictor import Predictor

BATCH = 16
"""Tiles of the batch that is timed."""
LEAST, MOST, SECONDS = 3, 50, 2.0
"""A timing is repeated at least and at most so often, and in between until this time has passed."""


@dataclass(frozen=True)
class Latency:
    """Time from grey tiles to their probabilities, preprocessing included.

    Attributes:
        tile_ms: of one tile, in milliseconds.
        batch_ms: of `batch` tiles at once.
        batch: their number.
        engine: which engine computed where.
        threads: CPU threads it used.
    """

    tile_ms: float
    batch_ms: float
    batch: int
    engine: str
    threads: int


def measure_latency(predictor: Predictor) -> Latency:
    """Time a model on tiles of its own input size; medians, after one call that does not count.

    Where figures are to be compared, do this in a process of its own: what a process did before
    (its threads, its memory) moves them.

    Args:
        predictor: the model, loaded as it is to be used.
    """
    size = predictor.bundle.info.preprocess.size
    # noise: the time does not depend on what a tile shows
    tile = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    times = [
        _median_s(lambda: predictor.probabilities([tile])),
        _median_s(lambda: predictor.probabilities([tile] * BATCH)),
    ]
    return Latency(
        tile_ms=1000 * times[0],
        batch_ms=1000 * times[1],
        batch=BATCH,
        engine=predictor.engine.name,
        threads=predictor.engine.threads,
    )


def _median_s(call: Callable[[], object]) -> float:
    call()
    times: list[float] = []
    while len(times) < LEAST or (len(times) < MOST and sum(times) < SECONDS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return median(times)
