"""Salt bodies: intervals that touch, found block by block and joined across the blocks' borders."""

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
"""What is known of a body: its cells, how many of them the network called salt and the sum of their
probabilities, its traces, its box in positions of the grid (ends not included), its highest and
lowest point in samples, and whether the edge of the data or a gap cuts it."""

Parts = NDArray[Any]
"""`PART (n,)`."""

_ADDED = ("cells", "found", "weight")
_LOWEST = ("inline0", "crossline0", "start", "top")
_HIGHEST = ("inline1", "crossline1", "stop", "base", "cut")


@dataclass(frozen=True)
class Bodies:
    """The bodies of a survey, the largest first: body 1 is entry 0.

    Attributes:
        table: of each body what is known of it.
        left_out: how many bodies were too small.
        left_out_cells: cells of these.
    """

    table: Parts
    left_out: int
    left_out_cells: int

    def __len__(self) -> int:
        """How many bodies there are."""
        return len(self.table)


def label(intervals: IntervalFile, shape: tuple[int, int, int], min_cells: int) -> Bodies:
    """Give each interval its body, numbered from 1 by size, or 0 where the body is too small.

    Cells belong together where they share a face. Memory is that of one block, of the intervals along
    the borders of those before it, and of a table of the parts of bodies that touch a border.

    Args:
        intervals: of the survey, in rows of blocks; their `body` is overwritten.
        shape: inlines, crosslines and samples of the grid.
        min_cells: a body of fewer cells is left out.
    """
    labeller = _Labeller(shape, min_cells)
    for place, (block, found) in enumerate(intervals):
        intervals.replace(place, labeller.add(block, found))
    bodies, numbers = labeller.finish()
    for place, (_, found) in enumerate(intervals):
        found["body"] = numbers[found["body"]]
        intervals.replace(place, found)
        _count_traces(bodies.table, found, shape[1])
    return bodies


def _count_traces(table: Parts, intervals: Intervals, crosslines: int) -> None:
    """Add the traces of a block, each once a body however often it enters that body."""
    body = intervals["body"].astype(np.int64)
    trace = intervals["inline"].astype(np.int64) * crosslines + intervals["crossline"]
    pairs = np.unique(np.stack([body, trace])[:, body > 0], axis=1)
    table["traces"] += np.bincount(pairs[0] - 1, minlength=len(table))


class _Labeller:
    """Parts of bodies, each with a number of its own until all blocks are seen.

    Numbers begin with 1; what is known to be left out has 0.
    """

    def __init__(self, shape: tuple[int, int, int], min_cells: int) -> None:
        self._shape = shape
        self._min_cells = min_cells
        self._parts: list[Parts] = [np.zeros(0, PART)]
        self._pairs: list[tuple[Integers, Integers]] = []
        self._count = 0
        self._left_out = 0
        self._left_out_cells = 0
        # borders that later blocks touch: the last inline of this row of blocks and of the one
        # before, and the last crossline of the block before
        self._row: list[Intervals] = []
        self._above = np.zeros(0, INTERVAL)
        self._beside = np.zeros(0, INTERVAL)
        self._last: Block | None = None

    def add(self, block: Block, intervals: Intervals) -> Intervals:
        """The intervals of the next block with the numbers of their parts."""
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
        """The bodies, and of each number the body that it belongs to."""
        parts = np.concatenate(self._parts)
        left, right = (np.concatenate(ends) for ends in zip(*self._pairs, strict=True))
        body = components(self._count, left - 1, right - 1)
        table = _merged(parts, body)
        kept = table["cells"] >= self._min_cells
        # the largest first; of equals the one whose box begins first, whatever the blocks were
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
        """Which parts touch a border behind which the survey goes on."""
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
        """Numbers of new parts; noise that cannot grow any more is forgotten at once."""
        kept = can_grow | (parts["cells"] >= self._min_cells)
        self._left_out += int((~kept).sum())
        self._left_out_cells += int(parts["cells"][~kept].sum())
        numbers = np.zeros(len(parts), np.int32)
        numbers[kept] = self._count + np.arange(1, kept.sum() + 1)
        self._parts.append(parts[kept])
        self._count += int(kept.sum())
        return numbers


def _as_parts(intervals: Intervals, shape: tuple[int, int, int]) -> Parts:
    """Each interval as a part of its own, its trace not counted yet."""
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
        if last > 0:  # a line has no neighbours that could cut it
            parts["cut"] |= (intervals[name] == 0) | (intervals[name] == last)
    return parts


def _merged(parts: Parts, group: Integers) -> Parts:
    """Parts of the same group as one; groups are numbered from 0 without a hole."""
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
