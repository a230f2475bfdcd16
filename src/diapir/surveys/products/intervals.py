"""Salt as intervals: the stretches of salt along each trace.

A volume of probabilities is reduced to a table of intervals, block by block. The table is far
smaller than the volume, and all products derive from it: horizons are the ends of intervals, bodies
are their connected components.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.connected import Integers
from diapir.surveys.grid import Grid

INTERVAL = np.dtype(
    [
        ("inline", np.int32),
        ("crossline", np.int32),
        ("start", np.int32),
        ("stop", np.int32),
        ("top", np.float32),
        ("base", np.float32),
        ("cells", np.int32),
        ("weight", np.float32),
        ("body", np.int32),
    ]
)
"""An interval: grid indices of its trace, samples `start … stop - 1`, top and base in fractional
samples (NaN at the end of the record or a gap), number of samples predicted as salt (`cells`), sum
of their probabilities (`weight`), and body (0: not labelled yet, or removed)."""

Intervals = NDArray[Any]
"""`INTERVAL (n,)`, ordered by inline, crossline and start."""

BLOCK_CELLS = 2**24
"""Maximum samples of a block, unless a chunk of the store is larger: 64 MB as float32."""
CHUNK = 64
"""Traces along each side of a block, where the chunks of the store are unknown."""


class Predictions(Protocol):
    """Predicted arrays of a survey, such as a prediction store."""

    @property
    def grid(self) -> Grid:
        """Geometry of the survey."""

    def read(self, name: str, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Part of an array, `float32 (i, x, samples)`; NaN where there is no prediction.

        The caller may modify it.
        """


@dataclass(frozen=True)
class Block:
    """A rectangle of traces, by grid index; the ends `inline1` and `crossline1` are excluded."""

    inline0: int
    inline1: int
    crossline0: int
    crossline1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Arguments of `Predictions.read`."""
        return slice(self.inline0, self.inline1), slice(self.crossline0, self.crossline1)


def blocks(
    grid: Grid, *, chunk: tuple[int, int] | None = None, cells: int = BLOCK_CELLS
) -> Iterator[Block]:
    """Divide a grid into blocks, row by row.

    Args:
        grid: the grid.
        chunk: inlines and crosslines of a chunk of the store; a block holds whole chunks.
        cells: maximum samples of a block, unless one chunk is larger.
    """
    inlines, crosslines, samples = grid.shape
    deep, wide = chunk or (CHUNK, CHUNK)
    deep = min(deep, inlines)
    wide = min(wide, crosslines)
    wide *= max(1, cells // max(1, deep * wide * samples))
    for inline in range(0, inlines, deep):
        for crossline in range(0, crosslines, wide):
            yield Block(
                inline,
                min(inline + deep, inlines),
                crossline,
                min(crossline + wide, crosslines),
            )


def find_intervals(probability: NDArray[np.float32], block: Block, threshold: float) -> Intervals:
    """Find the salt intervals of a block.

    Top and base lie where the probability, interpolated linearly between samples, crosses the
    threshold.

    Args:
        probability: `float32 (i, x, samples)`; NaN is not salt.
        block: the traces of the grid.
        threshold: samples of at least this probability are salt, in (0, 1].

    Returns:
        The intervals, not labelled yet.
    """
    _, crosslines, samples = probability.shape
    traces = np.ascontiguousarray(probability).reshape(-1, samples)
    with np.errstate(invalid="ignore"):
        salt = traces >= np.float32(threshold)
    change = np.empty((len(traces), samples + 1), dtype=np.bool_)
    change[:, 0] = salt[:, 0]
    change[:, -1] = salt[:, -1]
    np.not_equal(salt[:, 1:], salt[:, :-1], out=change[:, 1:-1])
    # every trace leaves salt as often as it enters it, so ends come in pairs
    trace, sample = np.divmod(np.flatnonzero(change), samples + 1)
    trace, start, stop = trace[::2], sample[::2], sample[1::2]

    intervals = np.zeros(len(trace), INTERVAL)
    intervals["inline"] = block.inline0 + trace // crosslines
    intervals["crossline"] = block.crossline0 + trace % crosslines
    intervals["start"], intervals["stop"] = start, stop
    intervals["top"] = _crossing(traces, trace, start, start - 1, threshold)
    intervals["base"] = _crossing(traces, trace, stop - 1, stop, threshold)
    intervals["cells"] = stop - start
    intervals["weight"] = _sums(traces, trace * samples + start, trace * samples + stop)
    return intervals


def _crossing(
    traces: NDArray[np.float32],
    trace: NDArray[np.int64],
    inside: NDArray[np.int64],
    outside: NDArray[np.int64],
    threshold: float,
) -> NDArray[np.float64]:
    """Depth of the threshold crossing between a salt sample and its neighbour."""
    within = (outside >= 0) & (outside < traces.shape[1])
    high = traces[trace, inside].astype(np.float64)
    low = traces[trace, np.where(within, outside, inside)].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (high - np.float64(np.float32(threshold))) / (high - low)
    position: NDArray[np.float64] = np.where(within, inside + (outside - inside) * share, np.nan)
    return position


def _sums(
    traces: NDArray[np.float32], starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sums of values `starts … stops - 1`, both indices into the flattened traces."""
    if not len(starts):
        return np.zeros(0)
    flat = traces.reshape(-1)
    ends = np.stack([starts, stops], axis=1).reshape(-1)
    if ends[-1] == flat.size:
        ends = ends[:-1]  # the last sum runs to the end anyway
    sums: NDArray[np.float64] = np.add.reduceat(flat, ends, dtype=np.float64)[::2]
    return sums


def overlaps(
    intervals: Intervals, others: Intervals, samples: int, *, inline: int = 0, crossline: int = 0
) -> tuple[Integers, Integers]:
    """Pairs of intervals of adjacent traces that share a face.

    Args:
        intervals: any intervals.
        others: intervals ordered by inline, crossline and start; may be the same.
        samples: samples per trace.
        inline: offset from a trace of `intervals` to its neighbour among `others`, in inlines.
        crossline: likewise, in crosslines.

    Returns:
        Indices into `intervals` and into `others` of each pair with a sample in common.
    """
    if not len(intervals) or not len(others):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    wide = int(max(intervals["crossline"].max(), others["crossline"].max())) + abs(crossline) + 2
    depth = samples + 1

    def place(which: Intervals, i: int, x: int) -> Integers:
        trace: Integers = (which["inline"].astype(np.int64) + i) * wide + which["crossline"] + x
        return trace * depth

    here, there = place(intervals, inline, crossline), place(others, 0, 0)
    # intervals of a trace do not overlap, so starts and stops both increase through `others`
    first = np.searchsorted(there + others["stop"], here + intervals["start"], side="right")
    last = np.searchsorted(there + others["start"], here + intervals["stop"], side="left")
    found = np.maximum(last - first, 0)
    source = np.repeat(np.arange(len(intervals)), found)
    before = np.repeat(np.cumsum(found) - found, found)
    return source, np.repeat(first, found) + np.arange(len(source)) - before


def draw_salt(intervals: Intervals, block: Block, samples: int) -> NDArray[np.bool_]:
    """Salt mask of a block, `bool (i, x, samples)`."""
    return _drawn(intervals, block, samples, np.ones(len(intervals), np.int8)).astype(np.bool_)


def draw_bodies(intervals: Intervals, block: Block, samples: int) -> NDArray[np.int32]:
    """Body number of each sample of a block, `int32 (i, x, samples)`, 0 outside bodies."""
    return _drawn(intervals, block, samples, intervals["body"])


def _drawn(intervals: Intervals, block: Block, samples: int, values: NDArray[Any]) -> NDArray[Any]:
    inlines, crosslines = block.inline1 - block.inline0, block.crossline1 - block.crossline0
    steps = np.zeros((inlines, crosslines, samples + 1), dtype=values.dtype)
    where = (intervals["inline"] - block.inline0, intervals["crossline"] - block.crossline0)
    # intervals of a trace neither overlap nor touch: no index occurs twice
    steps[(*where, intervals["start"])] += values
    steps[(*where, intervals["stop"])] -= values
    np.cumsum(steps, axis=2, out=steps)
    return steps[:, :, :-1]
