"""Top and base of salt from its intervals: maps of the first top and last base, and every crossing."""

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
"""`float32 (I, X)`, in samples from the start of the record; NaN where there is none."""

CROSSING = np.dtype(
    [
        ("inline", np.int32),
        ("crossline", np.int32),
        ("sample", np.float32),
        ("number", np.int32),
        ("body", np.int32),
    ]
)
"""A place where a trace enters or leaves salt: positions in the grid, the sample (between two), its
number down the trace (odd: into salt, even: out of it), and the body."""


@dataclass(frozen=True)
class SaltMaps:
    """Salt as seen from above, of kept bodies only.

    Attributes:
        top: first sample of salt in each trace, between samples; NaN too where salt reaches the
            first sample or a gap, so that its top is not seen.
        base: last one, likewise.
        thickness: samples of salt in each trace, 0 where there is none.
        intervals: how often each trace enters salt; more than 1 under an overhang.
        body: the largest body in each trace, 0 where there is none.
    """

    top: Map
    base: Map
    thickness: Map
    intervals: NDArray[np.int32]
    body: NDArray[np.int32]

    @property
    def salt(self) -> NDArray[np.bool_]:
        """Traces with salt, `bool (I, X)`."""
        return self.intervals > 0


def salt_maps(intervals: IntervalFile, shape: tuple[int, int]) -> SaltMaps:
    """Maps of top and base.

    Args:
        intervals: with their bodies.
        shape: inlines and crosslines of the grid.
    """
    top, base = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    thickness = np.zeros(shape, np.float32)
    count, body = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for _, found in intervals:
        kept = found[found["body"] > 0]
        if not len(kept):
            continue
        first, last, where = _traces(kept)
        top[where] = kept["top"][first]
        base[where] = kept["base"][last]
        count[where] = last - first + 1
        thickness[where] = np.add.reduceat(kept["stop"] - kept["start"], first)
        body[where] = np.minimum.reduceat(kept["body"], first)  # the largest is number 1
    return SaltMaps(top, base, thickness, count, body)


def crossings(intervals: IntervalFile) -> Iterator[NDArray[Any]]:
    """Every place where a trace enters or leaves salt, `CROSSING (n,)`, some inlines at a time.

    Ends at the edge of the data are no crossings: they keep their number, but are left out.
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
    """First and last interval of each trace, and the trace's position."""
    changed = (np.diff(intervals["inline"]) != 0) | (np.diff(intervals["crossline"]) != 0)
    first = np.append(0, np.flatnonzero(changed) + 1)
    last = np.append(first[1:], len(intervals)) - 1
    return first, last, (intervals["inline"][first], intervals["crossline"][first])


def vertical(grid: Grid, sample: NDArray[np.float32]) -> NDArray[np.float64]:
    """Time in ms or depth in m of samples that need not be whole, positive down."""
    return grid.start + sample.astype(np.float64) * grid.interval
