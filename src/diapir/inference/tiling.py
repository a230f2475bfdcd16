"""Tiling: a section of any size as overlapping windows, with weights to blend them.

A network is least sure where its window ends, so windows overlap and are blended with weights that
fall to zero there (Hann windows): no edge of a window shows in the result. The grid is regular, so
weights are products of one factor for the row and one for the column, and can be normalised before
any window is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from diapir.bundle import BundleInfo
from diapir.text import percent

TILE_OVERLAP = 0.25
"""Minimum overlap of the windows of a model that was trained on tiles alone, as a share of their
length."""
SECTION_OVERLAP = 0.5
"""The same for a model that was trained on windows of sections."""


@dataclass(frozen=True)
class Window:
    """A part of a section, and its weights there.

    Attributes:
        rows: slice of the section's rows.
        columns: slice of the section's columns.
        row_weights: `float32 (rows,)`.
        column_weights: `float32 (columns,)`. The weight of a pixel is the product of its row's
            and its column's; over all windows of a section a pixel's weights add up to 1.
    """

    rows: slice
    columns: slice
    row_weights: NDArray[np.float32]
    column_weights: NDArray[np.float32]

    def add(self, section: NDArray[np.float32], values: NDArray[np.float32]) -> None:
        """Add the `values` `(rows, columns)` of this window to the section; they are weighted."""
        values *= self.row_weights[:, None]
        values *= self.column_weights
        section[self.rows, self.columns] += values


@dataclass(frozen=True)
class WindowGrid:
    """How sections are cut into windows.

    Attributes:
        size: maximum height and width of a window in pixels; a section up to this size is one.
        overlap: minimum overlap of neighbouring windows as a share of `size`, in [0, 1).
    """

    size: int
    overlap: float

    @classmethod
    def of(cls, info: BundleInfo) -> WindowGrid:
        """The grid that suits a model."""
        overlap = SECTION_OVERLAP if info.window_sizes else TILE_OVERLAP
        return cls(info.section_size, overlap)

    def windows(self, height: int, width: int) -> Iterator[Window]:
        """The windows of a `(height, width)` section, both at least 1, row by row."""
        down, across = self._line(height), self._line(width)
        for rows, row_weights in down:
            for columns, column_weights in across:
                yield Window(rows, columns, row_weights, column_weights)

    def count(self, height: int, width: int) -> int:
        """Number of windows of a `(height, width)` section."""
        return len(self._line(height)) * len(self._line(width))

    def __str__(self) -> str:
        """For messages: `224 px, overlap 50 %`."""
        return f"{self.size} px, overlap {percent(self.overlap)}"

    def _line(self, length: int) -> tuple[tuple[slice, NDArray[np.float32]], ...]:
        return _line(length, self.size, self.overlap)


def grids_text(grids: Sequence[WindowGrid]) -> str:
    """For messages: `windows of 224 px, overlap 50 %`; those of several models once each."""
    return "windows of " + " and ".join(dict.fromkeys(map(str, grids)))


@lru_cache(maxsize=64)
def _line(length: int, size: int, overlap: float) -> tuple[tuple[slice, NDArray[np.float32]], ...]:
    """Windows along one axis, evenly spaced, with weights that add up to 1 at each pixel."""
    window = min(length, size)
    stride = max(1, int(size * (1 - overlap)))
    steps = -(-(length - window) // stride)
    starts = [step * (length - window) // max(1, steps) for step in range(steps + 1)]
    hann = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    total = np.zeros(length)
    for start in starts:
        total[start : start + window] += hann
    line = []
    for start in starts:
        rows = slice(start, start + window)
        weights = (hann / total[rows]).astype(np.float32)
        weights.setflags(write=False)
        line.append((rows, weights))
    return tuple(line)
