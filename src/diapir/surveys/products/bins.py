"""Position and size of a survey's bins, from a plane fitted to its coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid
from diapir.surveys.units import METRES, LocalPlane

_METRES = LocalPlane(1.0, 1.0)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Coordinates as a linear function of inline and crossline number.

    Attributes:
        origin: easting and northing of inline number 0, crossline number 0.
        inline: change of both per inline number; 0 for a single inline.
        crossline: change of both per crossline number; 0 for a single crossline.
        misfit: RMS distance of the coordinates from this plane, in metres.
        inline_step: median difference of adjacent inline numbers; 0 for a single inline.
        crossline_step: median difference of adjacent crossline numbers, likewise.
        plane: metres per unit of the coordinates.
    """

    origin: tuple[float, float]
    inline: tuple[float, float]
    crossline: tuple[float, float]
    misfit: float
    inline_step: int
    crossline_step: int
    plane: LocalPlane = _METRES

    def place(self, inlines: Floats, crosslines: Floats) -> tuple[Floats, Floats]:
        """Easting and northing of inline and crossline numbers, which may be fractional."""
        easting, northing = (
            self.origin[axis] + inlines * self.inline[axis] + crosslines * self.crossline[axis]
            for axis in (0, 1)
        )
        return easting, northing

    @property
    def area(self) -> float:
        """Area of one bin in m²; 0 for a 2D line."""
        (e_inline, n_inline), (e_crossline, n_crossline) = self.inline, self.crossline
        unit = abs(e_inline * n_crossline - e_crossline * n_inline)
        return unit * self.inline_step * self.crossline_step * self.plane.east * self.plane.north

    @property
    def bin_size(self) -> float:
        """Shorter side of a bin in metres."""
        sides = [
            float(np.hypot(step[0] * self.plane.east, step[1] * self.plane.north)) * count
            for step, count in (
                (self.inline, self.inline_step),
                (self.crossline, self.crossline_step),
            )
            if count
        ]
        return min(sides, default=0.0)


def fit_bins(grid: Grid) -> Bins | None:
    """Fit a plane to the coordinates by least squares.

    Returns:
        None where coordinates are unknown, identical, or do not span the survey's axes.
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
    # centred: squares of coordinates of millions of metres leave no digits for bins
    middle = coordinates.mean(axis=0)
    columns = np.flatnonzero(spread)
    slopes = np.zeros((2, 2))
    fitted, _, rank, _ = np.linalg.lstsq(
        (numbers - centre)[:, columns], coordinates - middle, rcond=None
    )
    if rank < len(columns) or not np.any(fitted):
        return None
    slopes[columns] = fitted
    plane = grid.plane
    away = coordinates - middle - (numbers - centre) @ slopes
    away *= (plane.east, plane.north)
    with np.errstate(over="ignore"):
        misfit = float(np.sqrt((away**2).sum(axis=1).mean()))
    if not np.isfinite(misfit):
        return None
    origin = middle - centre @ slopes
    return Bins(
        origin=(float(origin[0]), float(origin[1])),
        inline=(float(slopes[0, 0]), float(slopes[0, 1])),
        crossline=(float(slopes[1, 0]), float(slopes[1, 1])),
        misfit=misfit,
        inline_step=_step(grid.inlines),
        crossline_step=_step(grid.crosslines),
        plane=plane,
    )


def _step(numbers: NDArray[np.int64]) -> int:
    return int(np.median(np.abs(np.diff(numbers)))) if len(numbers) > 1 else 0


def cell_size(grid: Grid, bins: Bins | None, velocity: float | None) -> tuple[float, str] | None:
    """Volume of one sample of a volume, or area of one sample of a section.

    Args:
        grid: geometry of the survey.
        bins: its bins.
        velocity: P-wave velocity of salt in m/s; needed for surveys in time.

    Returns:
        The size and its unit, m³ or m²; None where the trace spacing or, in time, the velocity is
        unknown.
    """
    if bins is None:
        return None
    if grid.domain == "depth":
        height = grid.interval * METRES[grid.depth_unit]
    elif grid.domain == "time" and velocity:
        height = grid.interval / 1000 / 2 * velocity  # two-way time in ms
    else:
        return None
    if bins.area:
        return bins.area * height, "m³"
    known = np.isfinite(grid.spacing_m)
    spacing = float(np.nanmax(grid.spacing_m)) if known.any() else 0.0
    return (spacing * height, "m²") if spacing else None


def node_coordinates(grid: Grid, bins: Bins | None) -> tuple[Floats, Floats]:
    """Easting and northing of each trace, `float64 (I, X)`: from the file, otherwise from `bins`.

    NaN where both are unknown.
    """
    if bins is None:
        return grid.easting, grid.northing
    inlines, crosslines = np.meshgrid(
        grid.inlines.astype(float), grid.crosslines.astype(float), indexing="ij"
    )
    easting, northing = bins.place(inlines, crosslines)
    known = np.isfinite(grid.easting) & np.isfinite(grid.northing)
    return np.where(known, grid.easting, easting), np.where(known, grid.northing, northing)
