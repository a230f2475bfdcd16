"""Horizon maps as IRAP classic grids: one value per bin on a regular, rotated grid.

Equinor's surfio writes and reads them; it is small, maintained and needs only NumPy. ZMAP+ is not
supported: `zmapio` has had no release since 2022 and no rotated grids, and `xtgeo` would add half a
gigabyte.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError, MissingDependencyError
from diapir.files import replace_file
from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import Bins
from diapir.surveys.products.horizons import Map, vertical

SQUARE = 1e-3
"""Largest cosine between axes that count as perpendicular."""
MISFIT = 0.25
"""Largest RMS misfit of the coordinates, in bins."""


_ON_NODE = 1e-3
"""Distance from a node, in steps, within which a coordinate is on it."""


class _Axis(NamedTuple):
    """One axis of the survey as an axis of the surface."""

    places: NDArray[np.int64]
    length: int
    lowest: int
    step: int


def irap_obstacle(grid: Grid, bins: Bins | None) -> str | None:
    """Why horizons of a survey cannot be written as IRAP grids; None where they can."""
    if bins is None:
        return "the survey has no coordinates"
    if not bins.area:
        return "a line has no area"
    if grid.xy_unit == "degrees":
        return "the coordinates are degrees"
    inline, crossline = np.array(bins.inline), np.array(bins.crossline)
    cosine = float(inline @ crossline / np.linalg.norm(inline) / np.linalg.norm(crossline))
    if abs(cosine) > SQUARE:
        return "inlines and crosslines are not perpendicular"
    if bins.misfit > MISFIT * bins.bin_size:
        return f"the coordinates deviate from a regular grid by {bins.misfit:.3g} m (RMS)"
    return None


def write_irap(path: Path, picks: Map, grid: Grid, bins: Bins, *, attribute: bool = False) -> None:
    """Write a map as IRAP classic ASCII; bins without a pick are 9999900, the undefined value.

    Args:
        path: the file.
        picks: in samples, NaN where there is no pick.
        grid: geometry of the survey.
        bins: its bins; `irap_obstacle` must be None.
        attribute: whether `picks` are values of the picks, such as probabilities, not samples.

    Raises:
        ModuleNotFoundError: surfio is not installed.
    """
    from surfio import IrapHeader, IrapSurface

    rows, columns = _axis(grid.inlines), _axis(grid.crosslines)
    values = np.full((columns.length, rows.length), np.nan, np.float32)
    shown = picks if attribute else vertical(grid, picks)
    values[np.ix_(columns.places, rows.places)] = shown.T
    along, up = np.array(bins.crossline) * columns.step, np.array(bins.inline) * rows.step
    corner = np.array(bins.place(np.array(float(rows.lowest)), np.array(float(columns.lowest))))
    if along[0] < 0:
        corner, along, values = corner + along * (columns.length - 1), -along, values[::-1]
    if along[0] * up[1] < along[1] * up[0]:  # IRAP turns anticlockwise from columns to rows
        corner, up, values = corner + up * (rows.length - 1), -up, values[:, ::-1]
    width, height = float(np.hypot(*along)), float(np.hypot(*up))
    header = IrapHeader(
        ncol=columns.length,
        nrow=rows.length,
        xori=corner[0],
        yori=corner[1],
        xmax=corner[0] + width * (columns.length - 1),
        ymax=corner[1] + height * (rows.length - 1),
        xinc=width,
        yinc=height,
        rot=float(np.degrees(np.arctan2(along[1], along[0]))),
        xrot=corner[0],
        yrot=corner[1],
    )
    surface = IrapSurface(header, np.ascontiguousarray(values))
    replace_file(path, surface.to_ascii_string())


@dataclass(frozen=True, eq=False)
class IrapGrid:
    """A surface read from an IRAP classic grid.

    Attributes:
        values: `float64 (columns, rows)`, NaN where undefined.
        corner: X and Y of the first value.
        step: distance of columns and of rows.
        turn: radians anticlockwise from the X axis to the columns.
    """

    values: NDArray[np.float64]
    corner: tuple[float, float]
    step: tuple[float, float]
    turn: float

    @property
    def extent(self) -> tuple[str, str]:
        """The ranges of X and Y in words."""
        columns, rows = np.array(self.values.shape) - 1
        across = np.array([0, columns, 0, columns]) * self.step[0]
        up = np.array([0, 0, rows, rows]) * self.step[1]
        x = self.corner[0] + across * np.cos(self.turn) - up * np.sin(self.turn)
        y = self.corner[1] + across * np.sin(self.turn) + up * np.cos(self.turn)
        return f"{x.min():.10g} to {x.max():.10g}", f"{y.min():.10g} to {y.max():.10g}"

    def at(
        self, easting: NDArray[np.float64], northing: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Values at coordinates, bilinear; NaN outside and beside undefined values."""
        x, y = easting - self.corner[0], northing - self.corner[1]
        column = (x * np.cos(self.turn) + y * np.sin(self.turn)) / self.step[0]
        row = (y * np.cos(self.turn) - x * np.sin(self.turn)) / self.step[1]
        found = np.zeros(np.shape(easting))
        for place, count in ((column, self.values.shape[0]), (row, self.values.shape[1])):
            near = np.rint(place)
            # coordinates are rounded: a trace on a node must not need the nodes beside it
            place[:] = np.where(np.abs(place - near) < _ON_NODE, near, place)
            found[~((place >= 0) & (place <= count - 1))] = np.nan
        inside = np.isfinite(found)
        left, low = (
            np.floor(np.where(inside, place, 0)).astype(np.int64) for place in (column, row)
        )
        for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
            shares = [
                np.where(one, place - first, 1 - (place - first))
                for one, place, first in zip(step, (column, row), (left, low), strict=True)
            ]
            weight = np.where(inside, shares[0] * shares[1], 0)
            nodes = (
                np.minimum(left + step[0], self.values.shape[0] - 1),
                np.minimum(low + step[1], self.values.shape[1] - 1),
            )
            found += np.where(weight > 0, weight * self.values[nodes], 0)
        return found


def read_irap(path: Path) -> IrapGrid:
    """Read an IRAP classic grid.

    Raises:
        DataError: it is damaged.
        MissingDependencyError: surfio is not installed.
    """
    try:
        from surfio import IrapSurface
    except ModuleNotFoundError:
        raise MissingDependencyError("surfio", "volume") from None
    try:
        surface = IrapSurface.from_ascii_file(path)
        head = surface.header
        step = float(head.xinc), float(head.yinc)
        if not all(step):
            raise ValueError("the distance of columns or rows is 0")
        if not surface.values.size:
            raise ValueError("it has no nodes")
    except (ValueError, RuntimeError, OSError, IndexError, OverflowError) as error:
        raise DataError(
            f"{path} cannot be read as an IRAP grid: {error}",
            expected="an IRAP classic grid, as ASCII",
            fix="export the surface again, or as X Y Z",
        ) from None
    return IrapGrid(
        np.asarray(surface.values, np.float64),
        (float(head.xori), float(head.yori)),
        step,
        float(np.radians(head.rot)),
    )


def _axis(numbers: NDArray[np.int64]) -> _Axis:
    """Indices of line numbers on an axis that increases without gaps."""
    step = int(np.gcd.reduce(np.diff(np.sort(numbers)))) or 1
    lowest = int(numbers.min())
    places = (numbers - lowest) // step
    return _Axis(places, int(places.max()) + 1, lowest, step)
