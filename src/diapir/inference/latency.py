"""Latency of a model: one tile, and a batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from diapir.inference.predictor import Predictor

BATCH = 16
"""Tiles in the timed batch."""
LEAST, MOST, SECONDS = 3, 50, 2.0
"""Minimum and maximum number of repetitions, and the time in between to repeat for."""


@dataclass(frozen=True)
class Latency:
    """Time from grey tiles to their probabilities, including preprocessing.

    Attributes:
        tile_ms: milliseconds for one tile.
        batch_ms: milliseconds for `batch` tiles at once.
        batch: tiles in the batch.
        engine: engine and device.
        threads: CPU threads used.
    """

    tile_ms: float
    batch_ms: float
    batch: int
    engine: str
    threads: int


def measure_latency(predictor: Predictor) -> Latency:
    """Time a model on tiles of its input size; medians after one warm-up call.

    For comparable figures, measure each model in a new process: the threads and memory of earlier
    work in a process influence the timing.

    Args:
        predictor: the model, loaded with the options to time.
    """
    size = predictor.bundle.info.preprocess.side
    # noise, because the time does not depend on the content
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
