"""Tiling: a section of any size as overlapping windows, with weights to blend them.

Windows overlap by at least a quarter and are blended with Gaussian weights, so that a pixel's value
comes mainly from the windows in whose interior it lies (Isensee et al., nnU-Net, 2021,
https://doi.org/10.1038/s41592-020-01008-z). The grid is regular, so weights are products of one
factor for the row and one for the column, and can be normalised before any window is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.25
"""Minimum overlap of neighbouring windows, as a share of their length."""
SIGMA = 1 / 8
"""Standard deviation of the Gaussian weights, in lengths of the window."""


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
        """Add the weighted `values` `(rows, columns)` of this window to the section."""
        weighted = values * self.row_weights[:, None] * self.column_weights
        section[self.rows, self.columns] += weighted


def windows(height: int, width: int, size: int, overlap: float = OVERLAP) -> Iterator[Window]:
    """The windows of a `(height, width)` section, row by row.

    Args:
        height: rows of the section, at least 1.
        width: columns of the section, at least 1.
        size: maximum height and width of a window; a section up to this size is one window.
        overlap: minimum overlap of neighbouring windows as a share of their length, in [0, 1).
    """
    down, across = _line(height, size, overlap), _line(width, size, overlap)
    for rows, row_weights in down:
        for columns, column_weights in across:
            yield Window(rows, columns, row_weights, column_weights)


def window_count(height: int, width: int, size: int, overlap: float = OVERLAP) -> int:
    """Number of windows that `windows` yields."""
    return len(_line(height, size, overlap)) * len(_line(width, size, overlap))


@lru_cache(maxsize=64)
def _line(length: int, size: int, overlap: float) -> tuple[tuple[slice, NDArray[np.float32]], ...]:
    """Windows along one axis, evenly spaced, with weights that add up to 1 at each pixel."""
    window = min(length, size)
    stride = max(1, int(size * (1 - overlap)))
    steps = -(-(length - window) // stride)
    starts = [step * (length - window) // max(1, steps) for step in range(steps + 1)]
    offsets = (np.arange(window) - (window - 1) / 2) / (window * SIGMA)
    bell = np.exp(-0.5 * offsets**2)
    total = np.zeros(length)
    for start in starts:
        total[start : start + window] += bell
    line = []
    for start in starts:
        rows = slice(start, start + window)
        weights = (bell / total[rows]).astype(np.float32)
        weights.setflags(write=False)
        line.append((rows, weights))
    return tuple(line)
