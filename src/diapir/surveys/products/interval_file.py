"""Intervals of a whole survey on disk, so that memory holds one block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from diapir.surveys.products.intervals import INTERVAL, Block, Intervals


class IntervalFile:
    """A scratch file of intervals.

    Args:
        path: a new file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks: list[Block] = []
        self._offsets = [0]
        path.touch(exist_ok=False)

    def append(self, block: Block, intervals: Intervals) -> None:
        """Add the intervals of the next block."""
        with self.path.open("ab") as stream:
            stream.write(_bytes(intervals))
        self.blocks.append(block)
        self._offsets.append(self._offsets[-1] + len(intervals))

    def __len__(self) -> int:
        """Number of intervals."""
        return self._offsets[-1]

    def __iter__(self) -> Iterator[tuple[Block, Intervals]]:
        """Each block with its intervals, in the order they were added."""
        for place, block in enumerate(self.blocks):
            yield block, self._read(place)

    def rows(self) -> Iterator[Intervals]:
        """The intervals of each row of blocks (whole inlines), in order."""
        row: list[Intervals] = []
        inline = -1
        for block, intervals in self:
            if row and block.inline0 != inline:
                yield _sorted(np.concatenate(row))
                row = []
            inline = block.inline0
            row.append(intervals)
        if row:
            yield _sorted(np.concatenate(row))

    def within(self, part: Block) -> Intervals:
        """The intervals in a part of the grid, in order."""
        inside = [np.zeros(0, INTERVAL)]
        for place, block in enumerate(self.blocks):
            if (
                block.inline0 < part.inline1
                and part.inline0 < block.inline1
                and block.crossline0 < part.crossline1
                and part.crossline0 < block.crossline1
            ):
                intervals = self._read(place)
                i, x = intervals["inline"], intervals["crossline"]
                inside.append(
                    intervals[
                        (i >= part.inline0)
                        & (i < part.inline1)
                        & (x >= part.crossline0)
                        & (x < part.crossline1)
                    ]
                )
        return _sorted(np.concatenate(inside))

    def replace(self, place: int, intervals: Intervals) -> None:
        """Overwrite the intervals of block number `place` with the same number of intervals."""
        with self.path.open("r+b") as stream:
            stream.seek(self._offsets[place] * INTERVAL.itemsize)
            stream.write(_bytes(intervals))

    def _read(self, place: int) -> Intervals:
        start, stop = self._offsets[place], self._offsets[place + 1]
        return np.fromfile(self.path, INTERVAL, stop - start, offset=start * INTERVAL.itemsize)


def _bytes(intervals: Intervals) -> bytes:
    # `tofile` reports a full disk without its reason
    return intervals.tobytes()


def _sorted(intervals: Intervals) -> Intervals:
    return intervals[np.lexsort((intervals["start"], intervals["crossline"], intervals["inline"]))]
