"""Synthetic predictions: known bodies in known places."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Domain, Grid
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import blocks, find_intervals


@dataclass(frozen=True)
class Made:
    """Predictions in memory."""

    grid: Grid
    probability: NDArray[np.float32]

    def read(self, name: str, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        assert name == "probability"
        return self.probability[inlines, crosslines].copy()


def volume_grid(
    shape: tuple[int, int, int],
    *,
    origin: tuple[float, float] = (500_000.0, 6_000_000.0),
    inline: tuple[float, float] = (0.0, 25.0),
    crossline: tuple[float, float] = (12.5, 0.0),
    domain: Domain = "depth",
) -> Grid:
    """A regular volume: inlines 100, 102, …; crosslines falling to 301; 4 m or ms from 200."""
    inlines = 100 + 2 * np.arange(shape[0])
    crosslines = 300 + np.arange(shape[1], 0, -1)
    i, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    return Grid(
        kind="3d",
        inlines=inlines,
        crosslines=crosslines,
        samples=shape[2],
        interval=4.0,
        start=200.0,
        domain=domain,
        live=np.ones(shape[:2], bool),
        easting=origin[0] + i * inline[0] + x * crossline[0],
        northing=origin[1] + i * inline[1] + x * crossline[1],
    )


def line_grid(traces: int, samples: int, domain: Domain = "time") -> Grid:
    """A 2D line with CDPs 1001, 1002 …, 20 m apart towards the north-east."""
    away = 20 * np.arange(traces)[None] / np.sqrt(2)
    return Grid(
        kind="2d",
        inlines=np.array([1]),
        crosslines=1001 + np.arange(traces),
        samples=samples,
        interval=2.0,
        start=0.0,
        domain=domain,
        live=np.ones((1, traces), bool),
        easting=400_000.0 + away,
        northing=5_000_000.0 + away,
    )


def without_coordinates(grid: Grid) -> Grid:
    nothing = np.full(grid.shape[:2], np.nan)
    return replace(grid, easting=nothing, northing=nothing)


def ball(
    shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float
) -> NDArray[np.float32]:
    """Probability that falls from 1 to 0 over four samples around a ball, 0.5 on its surface."""
    axes = np.meshgrid(*(np.arange(length) for length in shape), indexing="ij")
    away = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(axes, centre, strict=True)))
    return np.clip(0.5 + (radius - away) / 4, 0, 1).astype(np.float32)


def interval_file(
    path: object, made: Made, chunk: tuple[int, int] = (64, 64), **how: float
) -> IntervalFile:
    """The intervals of made predictions."""
    intervals = IntervalFile(path)  # type: ignore[arg-type]
    for block in blocks(made.grid, chunk=chunk, cells=1):
        probability = made.read("probability", *block.slices)
        intervals.append(block, find_intervals(probability, block, how.get("threshold", 0.5)))
    return intervals
