"""Salt bodies: connected components of intervals, labelled block by block and then merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.connected import Integers, components
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import INTERVAL, Block, Intervals, overlaps

PART = np.dtype(
    [
        ("cells", np.int64),
        ("found", np.int64),
        ("weight", np.float64),
        ("traces", np.int64),
        ("inline0", np.int32),
        ("inline1", np.int32),
        ("crossline0", np.int32),
        ("crossline1", np.int32),
        ("start", np.int32),
        ("stop", np.int32),
        ("top", np.float32),
        ("base", np.float32),
        ("cut", np.bool_),
    ]
)
"""A body, or the part of one in a block: number of samples (`cells`), number of these that were
predicted as salt (`found`, without filled ones) and the sum of their probabilities (`weight`),
number of traces, bounding box in grid indices (ends excluded), highest and lowest point in samples,
and whether it touches the survey edge or a gap (`cut`)."""

Parts = NDArray[Any]
"""`PART (n,)`."""

_ADDED = ("cells", "found", "weight")
_LOWEST = ("inline0", "crossline0", "start", "top")
_HIGHEST = ("inline1", "crossline1", "stop", "base", "cut")


@dataclass(frozen=True)
class Bodies:
    """The bodies of a survey, the largest first: body 1 is entry 0.

    Attributes:
        table: the bodies, `PART (n,)`.
        left_out: number of bodies that were removed as too small.
        left_out_cells: number of samples in these.
        numbers: number of each body; 1, 2, … unless some were chosen or merged.
        notes: what was chosen and merged, for the user.
    """

    table: Parts
    left_out: int
    left_out_cells: int
    numbers: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Number the bodies, unless numbers are given."""
        if not self.numbers:
            object.__setattr__(self, "numbers", tuple(range(1, len(self.table) + 1)))

    def __len__(self) -> int:
        """Number of bodies."""
        return len(self.table)


def label(intervals: IntervalFile, shape: tuple[int, int, int], min_cells: int) -> Bodies:
    """Label bodies: set `body` of each interval to its number, the largest 1, removed ones 0.

    Samples are connected where they share a face (6-neighbour connectivity). Memory holds one
    block, the intervals along the borders of earlier blocks, and a table of the parts that touch a
    border.

    Args:
        intervals: intervals of the survey, in rows of blocks; `body` is overwritten.
        shape: inlines, crosslines and samples of the grid.
        min_cells: bodies of fewer samples are removed.
    """
    labeller = _Labeller(shape, min_cells)
    for place, (block, found) in enumerate(intervals):
        intervals.replace(place, labeller.add(block, found))
    bodies, numbers = labeller.finish()
    for place, (_, found) in enumerate(intervals):
        found["body"] = numbers[found["body"]]
        intervals.replace(place, found)
        count_traces(bodies.table, found, shape[1])
    return bodies


def merge_parts(parts: Parts, group: Integers) -> Parts:
    """Merge the parts of each group, numbered from 0 without gaps; traces are not counted."""
    return _merged(parts, group)


def count_traces(table: Parts, intervals: Intervals, crosslines: int) -> None:
    """Add the traces of a block to each body, counting a trace once per body."""
    body = intervals["body"].astype(np.int64)
    trace = intervals["inline"].astype(np.int64) * crosslines + intervals["crossline"]
    pairs = np.unique(np.stack([body, trace])[:, body > 0], axis=1)
    table["traces"] += np.bincount(pairs[0] - 1, minlength=len(table))


class _Labeller:
    """Labels parts of bodies with provisional numbers, and merges them after the last block.

    Numbers start at 1; removed parts have 0.
    """

    def __init__(self, shape: tuple[int, int, int], min_cells: int) -> None:
        self._shape = shape
        self._min_cells = min_cells
        self._parts: list[Parts] = [np.zeros(0, PART)]
        self._pairs: list[tuple[Integers, Integers]] = []
        self._count = 0
        self._left_out = 0
        self._left_out_cells = 0
        # borders that later blocks touch: the last inline of this row of blocks and of the
        # previous row, and the last crossline of the previous block
        self._row: list[Intervals] = []
        self._above = np.zeros(0, INTERVAL)
        self._beside = np.zeros(0, INTERVAL)
        self._last: Block | None = None

    def add(self, block: Block, intervals: Intervals) -> Intervals:
        """Label the intervals of the next block with the numbers of their parts."""
        samples = self._shape[2]
        if self._last is not None and block.inline0 != self._last.inline0:
            self._above = np.concatenate(self._row)
            self._row = []
            self._beside = np.zeros(0, INTERVAL)
        self._last = block

        along = overlaps(intervals, intervals, samples, crossline=1)
        across = overlaps(intervals, intervals, samples, inline=1)
        left, right = (np.concatenate(ends) for ends in zip(along, across, strict=True))
        part = components(len(intervals), left, right)
        parts = _merged(_as_parts(intervals, self._shape), part)
        intervals = intervals.copy()
        intervals["body"] = (
            self._number(parts, self._open(parts, block))[part] if len(intervals) else 0
        )

        for border, step in ((self._beside, (0, 1)), (self._above, (1, 0))):
            theirs, ours = overlaps(border, intervals, samples, inline=step[0], crossline=step[1])
            self._pairs.append(
                (border["body"][theirs].astype(np.int64), intervals["body"][ours].astype(np.int64))
            )
        self._row.append(intervals[intervals["inline"] == block.inline1 - 1])
        self._beside = intervals[intervals["crossline"] == block.crossline1 - 1]
        return intervals

    def finish(self) -> tuple[Bodies, NDArray[np.int32]]:
        """The bodies, and the body of each provisional number, `int32`."""
        parts = np.concatenate(self._parts)
        left, right = (np.concatenate(ends) for ends in zip(*self._pairs, strict=True))
        body = components(self._count, left - 1, right - 1)
        table = _merged(parts, body)
        kept = table["cells"] >= self._min_cells
        # the largest first; ties by the corner of the box, which does not depend on the blocks
        corner = table["start"], table["crossline0"], table["inline0"]
        order = np.lexsort((*corner, -table["cells"], ~kept))[: kept.sum()]
        names = np.zeros(len(table), np.int32)
        names[order] = np.arange(1, len(order) + 1)
        numbers = np.zeros(self._count + 1, np.int32)
        numbers[1:] = names[body]
        left_out = self._left_out + int((~kept).sum())
        left_out_cells = self._left_out_cells + int(table["cells"][~kept].sum())
        return Bodies(table[order], left_out, left_out_cells), numbers

    def _open(self, parts: Parts, block: Block) -> NDArray[np.bool_]:
        """Mask of parts that touch a border beyond which the survey continues."""
        inlines, crosslines, _ = self._shape
        touches = np.zeros(len(parts), np.bool_)
        if block.inline0 > 0:
            touches |= parts["inline0"] == block.inline0
        if block.inline1 < inlines:
            touches |= parts["inline1"] == block.inline1
        if block.crossline0 > 0:
            touches |= parts["crossline0"] == block.crossline0
        if block.crossline1 < crosslines:
            touches |= parts["crossline1"] == block.crossline1
        return touches

    def _number(self, parts: Parts, can_grow: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Numbers of new parts; small ones that cannot grow any more are removed at once."""
        kept = can_grow | (parts["cells"] >= self._min_cells)
        self._left_out += int((~kept).sum())
        self._left_out_cells += int(parts["cells"][~kept].sum())
        numbers = np.zeros(len(parts), np.int32)
        numbers[kept] = self._count + np.arange(1, kept.sum() + 1)
        self._parts.append(parts[kept])
        self._count += int(kept.sum())
        return numbers


def _as_parts(intervals: Intervals, shape: tuple[int, int, int]) -> Parts:
    """Each interval as a part by itself; traces are counted later."""
    inlines, crosslines, _ = shape
    parts = np.zeros(len(intervals), PART)
    parts["cells"] = intervals["stop"] - intervals["start"]
    parts["found"], parts["weight"] = intervals["cells"], intervals["weight"]
    parts["inline0"], parts["inline1"] = intervals["inline"], intervals["inline"] + 1
    parts["crossline0"], parts["crossline1"] = intervals["crossline"], intervals["crossline"] + 1
    parts["start"], parts["stop"] = intervals["start"], intervals["stop"]
    cut_above, cut_below = np.isnan(intervals["top"]), np.isnan(intervals["base"])
    parts["top"] = np.where(cut_above, intervals["start"], intervals["top"])
    parts["base"] = np.where(cut_below, intervals["stop"] - 1, intervals["base"])
    parts["cut"] = cut_above | cut_below
    for name, last in (("inline", inlines - 1), ("crossline", crosslines - 1)):
        if last > 0:  # an axis of one line has no survey edge
            parts["cut"] |= (intervals[name] == 0) | (intervals[name] == last)
    return parts


def _merged(parts: Parts, group: Integers) -> Parts:
    """Merge the parts of each group; groups are numbered from 0 without gaps."""
    if not len(parts):
        return parts
    order = np.argsort(group, kind="stable")
    parts = parts[order]
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    merged = np.zeros(len(first), PART)
    for names, merge in ((_ADDED, np.add), (_LOWEST, np.minimum), (_HIGHEST, np.maximum)):
        for name in names:
            merged[name] = merge.reduceat(parts[name], first)
    return merged
