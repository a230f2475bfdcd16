"""Horizon maps as IRAP classic grids: one value per bin on a regular, rotated grid.

Equinor's surfio writes them; it is small, maintained and needs only NumPy. ZMAP+ is not supported:
`zmapio` has had no release since 2022 and no rotated grids, and `xtgeo` would add half a gigabyte.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.files import replace_file
from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import Bins
from diapir.surveys.products.horizons import Map, vertical

SQUARE = 1e-3
"""Largest cosine between axes that count as perpendicular."""
MISFIT = 0.25
"""Largest RMS misfit of the coordinates, in bins."""


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
    inline, crossline = np.array(bins.inline), np.array(bins.crossline)
    cosine = float(inline @ crossline / np.linalg.norm(inline) / np.linalg.norm(crossline))
    if abs(cosine) > SQUARE:
        return "inlines and crosslines are not perpendicular"
    if bins.misfit > MISFIT * bins.bin_size:
        return f"the coordinates deviate from a regular grid by {bins.misfit:.3g} (RMS)"
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


def _axis(numbers: NDArray[np.int64]) -> _Axis:
    """Indices of line numbers on an axis that increases without gaps."""
    step = int(np.gcd.reduce(np.diff(np.sort(numbers)))) or 1
    lowest = int(numbers.min())
    places = (numbers - lowest) // step
    return _Axis(places, int(places.max()) + 1, lowest, step)
