"""What a model costs: how large it is, how much it computes, and how long a tile takes."""

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
class Cost:
    """What a model costs on this machine.

    Attributes:
        parameters: number of its trainable values.
        multiply_adds: of one tile of `size` × `size` pixels.
        size: height and width of its input in pixels.
        latency_ms: time from one grey tile to its probabilities, preprocessing included.
        batch_ms: the same of a batch of `batch` tiles.
        batch: tiles of that batch.
        engine: which engine computed where.
        threads: CPU threads it used.
    """

    parameters: int
    multiply_adds: int
    size: int
    latency_ms: float
    batch_ms: float
    batch: int
    engine: str
    threads: int


def measure(predictor: Predictor) -> Cost:
    """Count and time a model; times are medians, after one call that is not counted.

    Run it in a process of its own where figures are to be compared: what a process did before
    (its threads, its memory) moves them.

    Args:
        predictor: the model, loaded as it is to be used.
    """
    from diapir import models

    info = predictor.bundle.info
    size = info.preprocess.size
    network = models.build(info.model)
    # noise: the network's time does not depend on what a tile shows
    tile = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    return Cost(
        parameters=models.parameter_count(network),
        multiply_adds=models.multiply_adds(network, size),
        size=size,
        latency_ms=1000 * _seconds(lambda: predictor.probabilities([tile])),
        batch_ms=1000 * _seconds(lambda: predictor.probabilities([tile] * BATCH)),
        batch=BATCH,
        engine=predictor.engine.name,
        threads=predictor.engine.threads,
    )


def _seconds(call: Callable[[], object]) -> float:
    call()
    times: list[float] = []
    while len(times) < LEAST or (len(times) < MOST and sum(times) < SECONDS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return median(times)
