"""Where line numbers, coordinates, times and depths of labels lie in a survey's grid."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid
from diapir.surveys.labels.section_labels import Axis
from diapir.surveys.products.bins import Bins, fit_bins
from diapir.text import listing

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

WHOLE = 0.01
"""Distance from a whole number up to which a number in a file is a line number."""
_NEAR = 1.0
"""Distance from a trace, in spacings, within which a coordinate belongs to it."""
_PAIRS = 2**22
"""Distances between coordinates and traces of a line that are held at once."""


@dataclass(frozen=True, eq=False)
class Placing:
    """Positions in a survey.

    Attributes:
        grid: its geometry.
        name: of the survey, which files of several 2D lines name.
    """

    grid: Grid
    name: str = ""

    @property
    def line(self) -> bool:
        """Whether the survey is a 2D line."""
        return self.grid.kind == "2d"

    @cached_property
    def bins(self) -> Bins | None:
        """The plane through its coordinates; None where they are unknown."""
        return fit_bins(self.grid)

    def numbers(self, axis: Axis) -> Indices:
        """The numbers along an axis, in the order of the grid."""
        return self.grid.inlines if axis == "inline" else self.grid.crosslines

    def index(self, axis: Axis, numbers: Floats) -> Indices:
        """Indices of line numbers, `int64 (n,)`; -1 where the survey has no such line."""
        known = self.numbers(axis)
        if axis == "inline" and self.line:
            return np.zeros(len(numbers), np.int64)
        order = np.argsort(known)
        finite = np.where(np.isfinite(numbers), numbers, -1e18)
        wanted = np.rint(np.clip(finite, -1e18, 1e18)).astype(np.int64)
        place = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
        found = order[place]
        whole = np.abs(finite - wanted) <= WHOLE
        return np.where((known[found] == wanted) & whole, found, -1)

    def position(self, axis: Axis, numbers: Floats) -> Floats:
        """Fractional indices of numbers along an axis; beyond its ends, the last step goes on."""
        known = self.numbers(axis).astype(np.float64)
        if len(known) == 1:
            return np.asarray(numbers - known[0], np.float64)
        order = np.argsort(known)
        places, known = order.astype(np.float64), known[order]
        found = np.interp(numbers, known, places)
        for end, inner, beyond in (
            (0, 1, numbers < known[0]),
            (-1, -2, numbers > known[-1]),
        ):
            slope = (places[end] - places[inner]) / (known[end] - known[inner])
            found = np.where(beyond, places[end] + slope * (numbers - known[end]), found)
        return found

    def at(self, easting: Floats, northing: Floats) -> tuple[Indices, Indices, Floats]:
        """The trace nearest to each coordinate.

        Returns:
            Indices along the inline and crossline axis, -1 where no trace is near; and the
            distance to the trace in spacings.
        """
        if self.line:
            return self._on_line(easting, northing)
        inline, crossline = self.fractional(easting, northing)
        rows, columns = np.rint(inline), np.rint(crossline)
        away = np.hypot(inline - rows, crossline - columns)
        near = (
            (away <= _NEAR)
            & (rows >= 0)
            & (rows < len(self.grid.inlines))
            & (columns >= 0)
            & (columns < len(self.grid.crosslines))
        )
        return (
            np.where(near, rows, -1).astype(np.int64),
            np.where(near, columns, -1).astype(np.int64),
            np.where(near, away, np.inf),
        )

    def fractional(self, easting: Floats, northing: Floats) -> tuple[Floats, Floats]:
        """Fractional indices of coordinates in a volume, along inline and crossline axis.

        NaN where the survey has no coordinates, or for its single line where they are off it.
        """
        bins = self.bins
        nothing = np.full(len(easting), np.nan)
        if bins is None:
            return nothing, nothing
        across = np.array([bins.inline, bins.crossline]).T
        away = np.stack([easting - bins.origin[0], northing - bins.origin[1]])
        if np.linalg.matrix_rank(across) < 2:  # one inline or crossline: place along it only
            numbers = np.linalg.pinv(across) @ away
            off = np.hypot(*(across @ numbers - away)) > _NEAR * max(bins.bin_size, 1e-9)
            numbers[:, off] = np.nan
            single = [not np.any(step) for step in (bins.inline, bins.crossline)]
            for place, axis_numbers in enumerate((self.grid.inlines, self.grid.crosslines)):
                if single[place]:
                    numbers[place] = np.where(off, np.nan, axis_numbers[0])
        else:
            numbers = np.linalg.solve(across, away)
        return self.position("inline", numbers[0]), self.position("crossline", numbers[1])

    def _on_line(self, easting: Floats, northing: Floats) -> tuple[Indices, Indices, Floats]:
        """Nearest traces of a 2D line, which may bend."""
        known = np.flatnonzero(np.isfinite(self.grid.easting[0] + self.grid.northing[0]))
        count = len(easting)
        inline, found = np.full(count, -1), np.full(count, -1)
        distance = np.full(count, np.inf)
        spacing = self.grid.spacing[1]
        if not len(known) or not spacing > 0:
            return inline, found, distance
        traces = np.stack([self.grid.easting[0, known], self.grid.northing[0, known]])
        step = max(1, _PAIRS // len(known))
        for start in range(0, count, step):
            part = slice(start, start + step)
            away = np.hypot(
                easting[part, None] - traces[0][None], northing[part, None] - traces[1][None]
            )
            away = np.where(np.isfinite(away), away, np.inf)
            nearest = away.argmin(axis=1)
            least = away[np.arange(len(away)), nearest] / spacing
            near = least <= _NEAR
            inline[part] = np.where(near, 0, -1)
            found[part] = np.where(near, known[nearest], -1)
            distance[part] = np.where(near, least, np.inf)
        return inline, found, distance

    def extent(self) -> str:
        """The survey's range in words, for errors."""
        grid = self.grid
        words = []
        if not self.line:
            words.append(f"inlines {span(grid.inlines)}")
        words.append(f"{'CDPs' if self.line else 'crosslines'} {span(grid.crosslines)}")
        if np.isfinite(grid.easting).any():
            words.append(f"X {span(grid.easting)}, Y {span(grid.northing)}")
        end = grid.start + grid.interval * (grid.samples - 1)
        words.append(f"{grid.start:g} to {end:g} {grid.unit}")
        return ", ".join(words)

    def trace_name(self, inline: int, crossline: int) -> str:
        """A trace in words: CDP 1005, or inline 241 crossline 300."""
        number = self.grid.crosslines[crossline]
        if self.line:
            return f"CDP {number}"
        return f"inline {self.grid.inlines[inline]} crossline {number}"

    def trace_names(self, where: tuple[Indices, Indices]) -> str:
        """The first few of many traces."""
        pairs = zip(where[0].tolist(), where[1].tolist(), strict=True)
        names = [self.trace_name(*pair) for pair in pairs]
        return listing(names)


def span(values: NDArray[np.number]) -> str:
    """The range of numbers: 100 to 400, or 100; of nothing finite –."""
    known = values[np.isfinite(values)]
    if not known.size:
        return "–"
    low, high = f"{known.min():.10g}", f"{known.max():.10g}"
    return low if low == high else f"{low} to {high}"
