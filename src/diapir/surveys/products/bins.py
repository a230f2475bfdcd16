"""Where the bins of a survey lie and how large they are: one plane through all coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Coordinates as a linear function of inline and crossline number.

    Attributes:
        origin: easting and northing of inline 0, crossline 0 by their numbers.
        inline: how they change from one inline number to the next; 0 where there is one inline.
        crossline: likewise.
        misfit: root mean square distance of the coordinates from this, in their unit.
        inline_step: usual difference between neighbouring inline numbers; 0 where there is one.
        crossline_step: likewise.
    """

    origin: tuple[float, float]
    inline: tuple[float, float]
    crossline: tuple[float, float]
    misfit: float
    inline_step: int
    crossline_step: int

    def place(self, inlines: Floats, crosslines: Floats) -> tuple[Floats, Floats]:
        """Easting and northing of inline and crossline numbers, which need not be whole."""
        easting, northing = (
            self.origin[axis] + inlines * self.inline[axis] + crosslines * self.crossline[axis]
            for axis in (0, 1)
        )
        return easting, northing

    @property
    def area(self) -> float:
        """Of a bin of a volume, in squares of the coordinates' unit; 0 of a line."""
        (e_inline, n_inline), (e_crossline, n_crossline) = self.inline, self.crossline
        unit = abs(e_inline * n_crossline - e_crossline * n_inline)
        return unit * self.inline_step * self.crossline_step

    @property
    def bin_size(self) -> float:
        """Shorter side of a bin, in the coordinates' unit."""
        sides = [
            float(np.hypot(*step)) * count
            for step, count in (
                (self.inline, self.inline_step),
                (self.crossline, self.crossline_step),
            )
            if count
        ]
        return min(sides, default=0.0)


def fit_bins(grid: Grid) -> Bins | None:
    """Fit the plane by least squares.

    Returns:
        None where coordinates are unknown, all alike, or do not span the survey's axes.
    """
    known = np.isfinite(grid.easting) & np.isfinite(grid.northing)
    inline, crossline = np.nonzero(known)
    if not len(inline):
        return None
    numbers = np.stack([grid.inlines[inline], grid.crosslines[crossline]], axis=1).astype(float)
    centre = numbers.mean(axis=0)
    spread = [bool(np.ptp(column)) for column in numbers.T]
    if (
        not any(spread)
        or (len(grid.inlines) > 1 and not spread[0])
        or (len(grid.crosslines) > 1 and not spread[1])
    ):
        return None
    coordinates = np.stack([grid.easting[known], grid.northing[known]], axis=1)
    # centred, as squares of coordinates of millions of metres leave no digits for bins
    middle = coordinates.mean(axis=0)
    columns = np.flatnonzero(spread)
    slopes = np.zeros((2, 2))
    fitted, _, rank, _ = np.linalg.lstsq(
        (numbers - centre)[:, columns], coordinates - middle, rcond=None
    )
    if rank < len(columns) or not np.any(fitted):
        return None
    slopes[columns] = fitted
    away = coordinates - middle - (numbers - centre) @ slopes
    origin = middle - centre @ slopes
    return Bins(
        origin=(float(origin[0]), float(origin[1])),
        inline=(float(slopes[0, 0]), float(slopes[0, 1])),
        crossline=(float(slopes[1, 0]), float(slopes[1, 1])),
        misfit=float(np.sqrt((away**2).sum(axis=1).mean())),
        inline_step=_step(grid.inlines),
        crossline_step=_step(grid.crosslines),
    )


def _step(numbers: NDArray[np.int64]) -> int:
    return int(np.median(np.abs(np.diff(numbers)))) if len(numbers) > 1 else 0


def cell_size(grid: Grid, bins: Bins | None, velocity: float | None) -> tuple[float, str] | None:
    """What one cell of the prediction measures.

    Args:
        grid: of the prediction.
        bins: its bins, with coordinates in metres.
        velocity: of sound in salt in m/s, for surveys in time.

    Returns:
        the size and its unit: m³ of a volume, m² of a line; None where the spacing or, in time,
        the velocity is unknown.
    """
    if bins is None:
        return None
    if grid.domain == "depth":
        height = grid.interval
    elif grid.domain == "time" and velocity:
        height = grid.interval / 1000 / 2 * velocity  # two-way time in ms
    else:
        return None
    if bins.area:
        return bins.area * height, "m³"
    spacing = float(np.nanmax(grid.spacing)) if np.isfinite(grid.spacing).any() else 0.0
    return (spacing * height, "m²") if spacing else None


def node_coordinates(grid: Grid, bins: Bins | None) -> tuple[Floats, Floats]:
    """Easting and northing of every position, `float64 (I, X)`: those of the file, else of `bins`.

    NaN where neither knows them.
    """
    if bins is None:
        return grid.easting, grid.northing
    inlines, crosslines = np.meshgrid(
        grid.inlines.astype(float), grid.crosslines.astype(float), indexing="ij"
    )
    easting, northing = bins.place(inlines, crosslines)
    known = np.isfinite(grid.easting) & np.isfinite(grid.northing)
    return np.where(known, grid.easting, easting), np.where(known, grid.northing, northing)
