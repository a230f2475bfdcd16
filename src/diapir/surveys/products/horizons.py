"""Horizons from salt intervals: maps of top salt and base salt, and every crossing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import Intervals

Map = NDArray[np.float32]
"""`float32 (I, X)`, in samples from the start of the record; NaN where there is no pick."""

CROSSING = np.dtype(
    [
        ("inline", np.int32),
        ("crossline", np.int32),
        ("sample", np.float32),
        ("number", np.int32),
        ("body", np.int32),
    ]
)
"""A place where a trace enters or leaves salt: grid indices, fractional sample, number down the
trace (odd: entry, even: exit), and body."""


@dataclass(frozen=True)
class SaltMaps:
    """Map view of salt, kept bodies only.

    Attributes:
        top: first entry into salt of each trace, in fractional samples; NaN where there is no salt,
            or where it continues to the first sample or a gap, so that the top is not visible.
        base: last exit from salt, likewise.
        thickness: number of salt samples in each trace.
        intervals: number of salt intervals in each trace; more than 1 at an overhang.
        body: smallest body number in each trace, 0 where there is no salt.
        top_body: number of the body at the first entry, 0 where there is no salt.
        base_body: number of the body at the last exit, likewise.
    """

    top: Map
    base: Map
    thickness: Map
    intervals: NDArray[np.int32]
    body: NDArray[np.int32]
    top_body: NDArray[np.int32]
    base_body: NDArray[np.int32]

    @property
    def salt(self) -> NDArray[np.bool_]:
        """Traces with salt, `bool (I, X)`."""
        return self.intervals > 0

    @property
    def overhangs(self) -> int:
        """Number of traces that enter salt more than once."""
        return int((self.intervals > 1).sum())


def salt_maps(intervals: IntervalFile, shape: tuple[int, int]) -> SaltMaps:
    """Map view of salt.

    Args:
        intervals: labelled intervals.
        shape: inlines and crosslines of the grid.
    """
    top, base = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    thickness = np.zeros(shape, np.float32)
    count, body, top_body, base_body = (np.zeros(shape, np.int32) for _ in range(4))
    for _, found in intervals:
        kept = found[found["body"] > 0]
        if not len(kept):
            continue
        first, last, where = _traces(kept)
        top[where] = kept["top"][first]
        base[where] = kept["base"][last]
        top_body[where] = kept["body"][first]
        base_body[where] = kept["body"][last]
        count[where] = last - first + 1
        thickness[where] = np.add.reduceat(kept["stop"] - kept["start"], first)
        body[where] = np.minimum.reduceat(kept["body"], first)  # 1 is the largest
    return SaltMaps(top, base, thickness, count, body, top_body, base_body)


def crossings(intervals: IntervalFile) -> Iterator[NDArray[Any]]:
    """Every entry into and exit from salt, `CROSSING (n,)`, a row of blocks at a time.

    An interval that ends at the edge of the data has no crossing there; its number is skipped.
    """
    for found in intervals.rows():
        kept = found[found["body"] > 0]
        if not len(kept):
            continue
        first, last, _ = _traces(kept)
        rank = np.arange(len(kept)) - np.repeat(first, last - first + 1)
        rows = np.zeros(2 * len(kept), CROSSING)
        for offset, name in ((0, "top"), (1, "base")):
            rows["sample"][offset::2] = kept[name]
            rows["number"][offset::2] = 2 * rank + 1 + offset
        for name in ("inline", "crossline", "body"):
            rows[name] = np.repeat(kept[name], 2)
        yield rows[np.isfinite(rows["sample"])]


def _traces(
    intervals: Intervals,
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Index of the first and last interval of each trace, and the grid indices of the trace."""
    changed = (np.diff(intervals["inline"]) != 0) | (np.diff(intervals["crossline"]) != 0)
    first = np.append(0, np.flatnonzero(changed) + 1)
    last = np.append(first[1:], len(intervals)) - 1
    return first, last, (intervals["inline"][first], intervals["crossline"][first])


def vertical(grid: Grid, sample: NDArray[np.float32]) -> NDArray[np.float64]:
    """Time or depth of fractional samples in the survey's unit, positive down."""
    return grid.start + sample.astype(np.float64) * grid.interval
