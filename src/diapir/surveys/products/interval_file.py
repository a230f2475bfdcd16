"""Runs of a whole survey on the disk, block by block, so that memory stays that of one block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from diapir.surveys.products.intervals import RUN, Block, Runs


class RunFile:
    """A scratch file of runs.

    Args:
        path: a new file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.blocks: list[Block] = []
        self._offsets = [0]
        path.touch(exist_ok=False)

    def append(self, block: Block, runs: Runs) -> None:
        """Add the runs of the next block."""
        with self.path.open("ab") as stream:
            runs.tofile(stream)
        self.blocks.append(block)
        self._offsets.append(self._offsets[-1] + len(runs))

    def __len__(self) -> int:
        """How many runs there are."""
        return self._offsets[-1]

    def __iter__(self) -> Iterator[tuple[Block, Runs]]:
        """Each block with its runs, in the order they were added."""
        for place, block in enumerate(self.blocks):
            yield block, self._read(place)

    def rows(self) -> Iterator[Runs]:
        """The runs of each row of blocks, that is of whole inlines, in order."""
        row: list[Runs] = []
        inline = -1
        for block, runs in self:
            if row and block.inline0 != inline:
                yield _sorted(np.concatenate(row))
                row = []
            inline = block.inline0
            row.append(runs)
        if row:
            yield _sorted(np.concatenate(row))

    def within(self, part: Block) -> Runs:
        """The runs in some traces, in order."""
        inside = [np.zeros(0, RUN)]
        for place, block in enumerate(self.blocks):
            if (
                block.inline0 < part.inline1
                and part.inline0 < block.inline1
                and block.crossline0 < part.crossline1
                and part.crossline0 < block.crossline1
            ):
                runs = self._read(place)
                i, x = runs["inline"], runs["crossline"]
                inside.append(
                    runs[
                        (i >= part.inline0)
                        & (i < part.inline1)
                        & (x >= part.crossline0)
                        & (x < part.crossline1)
                    ]
                )
        return _sorted(np.concatenate(inside))

    def replace(self, place: int, runs: Runs) -> None:
        """Overwrite the runs of the block that was added as number `place`, as many as before."""
        with self.path.open("r+b") as stream:
            stream.seek(self._offsets[place] * RUN.itemsize)
            runs.tofile(stream)

    def _read(self, place: int) -> Runs:
        start, stop = self._offsets[place], self._offsets[place + 1]
        return np.fromfile(self.path, RUN, stop - start, offset=start * RUN.itemsize)


def _sorted(runs: Runs) -> Runs:
    return runs[np.lexsort((runs["start"], runs["crossline"], runs["inline"]))]
