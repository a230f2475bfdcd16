"""Which column of a table is which: by its header, or by what fits the survey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys.labels.placing import Floats, Placing, span
from diapir.surveys.labels.section_labels import Axis
from diapir.surveys.labels.text_table import Table
from diapir.surveys.labels.vertical_units import in_record, without_nulls

_LAYOUTS_3D = ("inline crossline z", "x y z", "inline crossline x y z", "x y inline crossline z")
_LAYOUTS_2D = ("cdp z", "x y z", "cdp x y z", "x y cdp z", "x y - cdp z")
_FITS = 0.5
"""Share of rows that must fit the survey by their numbers."""
_FITS_PLACE = 0.01
"""Share that must fit it by X and Y, which hardly fit by accident: a file may be of many lines."""
_SAMPLED = 20_000
"""Rows that a layout is tried on at most."""


@dataclass(frozen=True)
class Columns:
    """Columns of a table, None where there is no such column.

    Attributes:
        inline: inline number.
        crossline: crossline number; of a 2D line its CDP.
        x: easting.
        y: northing.
        z: time or depth.
        note: the guess in words; empty where a header says it.
    """

    inline: int | None
    crossline: int | None
    x: int | None
    y: int | None
    z: int
    note: str = ""

    @property
    def numbered(self) -> bool:
        """Whether rows have line numbers."""
        return self.crossline is not None


def find_columns(table: Table, placing: Placing, *, vertices: bool = False) -> Columns:
    """Find the columns of position and time or depth.

    Args:
        table: of picks or vertices.
        placing: the survey.
        vertices: whether positions may lie between and beyond the survey's traces.

    Raises:
        DataError: no reading of the columns fits the survey.
    """
    named = _named(table, placing)
    if named is not None:
        return named
    words = set(table.words)
    usable = [column for column in range(table.values.shape[1]) if column not in words]
    rows = slice(None, None, max(1, len(table.values) // _SAMPLED))
    values = table.values[rows]
    best: tuple[float, int, Columns] | None = None
    for layout in _LAYOUTS_2D if placing.line else _LAYOUTS_3D:
        names = layout.split()
        if len(names) > len(usable):
            continue
        places = dict(zip(names, usable, strict=False))
        columns = Columns(
            inline=places.get("inline"),
            crossline=places.get("crossline", places.get("cdp")),
            x=places.get("x"),
            y=places.get("y"),
            z=places["z"],
            note=f"{table.path.name}: columns read as {layout.replace('- ', 'shotpoint ')}, "
            "which fits the survey",
        )
        score = _score(values, columns, placing, vertices=vertices)
        if best is None or (score, len(names)) > best[:2]:
            best = score, len(names), columns
    if best is None or best[0] < (_FITS if best[2].x is None else _FITS_PLACE):
        raise _no_fit(table, placing, usable)
    return best[2]


def coordinates(table: Table, columns: Columns) -> tuple[Floats, Floats] | None:
    """X and Y of each row, NaN where undefined; None without such columns."""
    if columns.x is None or columns.y is None:
        return None
    return without_nulls(table.values[:, columns.x]), without_nulls(table.values[:, columns.y])


def _named(table: Table, placing: Placing) -> Columns | None:
    """The columns that the header names; None where it names too few."""
    z = table.column("z")
    inline, crossline = table.column("inline"), table.column("crossline")
    x, y = table.column("x"), table.column("y")
    if placing.line:
        inline, crossline = None, table.column("cdp")
        if crossline is None:
            crossline = table.column("crossline")
    elif inline is None or crossline is None:
        inline = crossline = None
    if z is None or (crossline is None and (x is None or y is None)):
        return None
    known = placing.bins is not None or np.isfinite(placing.grid.easting).any()
    if crossline is None and not known:
        raise DataError(
            f"{table.path} gives positions as X and Y only, and the survey has no coordinates",
            expected="line numbers: inline and crossline, or the CDP of a 2D line",
            fix="export the labels with line numbers",
        )
    return Columns(inline, crossline, x, y, z)


def _score(values: Floats, columns: Columns, placing: Placing, *, vertices: bool) -> float:
    """Share of rows that fit the survey when read this way."""
    z = without_nulls(values[:, columns.z])
    picked = np.isfinite(z)
    if not picked.any():
        return 0.0
    fits = in_record(z, placing.grid)
    if columns.inline is not None:
        fits &= _is_number(values[:, columns.inline], placing, "inline", vertices)
    if columns.crossline is not None:
        fits &= _is_number(values[:, columns.crossline], placing, "crossline", vertices)
    if columns.x is not None and columns.y is not None:
        fits &= _is_place(values[:, columns.x], values[:, columns.y], placing, columns.numbered)
    return float(fits[picked].mean())


def _is_number(values: Floats, placing: Placing, along: Axis, vertices: bool) -> NDArray[np.bool_]:
    if not vertices:
        return placing.index(along, values) >= 0
    known = placing.numbers(along).astype(float)
    margin = 0.1 * np.ptp(known) + 1
    low, high = known.min() - margin, known.max() + margin
    within: NDArray[np.bool_] = (values >= low) & (values <= high)
    return within


def _is_place(x: Floats, y: Floats, placing: Placing, numbered: bool) -> NDArray[np.bool_]:
    """Whether X and Y may be coordinates: near the survey, or beside numbers where unknown."""
    grid = placing.grid
    undefined = np.isnan(without_nulls(x)) | np.isnan(without_nulls(y))
    if not np.isfinite(grid.easting).any():
        return np.full(len(x), numbered, np.bool_)
    inside = np.full(len(x), True)
    for values, known in ((x, grid.easting), (y, grid.northing)):
        low, high = np.nanmin(known), np.nanmax(known)
        margin = 0.1 * max(high - low, np.nanmax([*grid.spacing, 1.0]))
        inside &= (values >= low - margin) & (values <= high + margin)
    found: NDArray[np.bool_] = inside | (undefined & numbered)
    return found


def _no_fit(table: Table, placing: Placing, usable: list[int]) -> DataError:
    ranges = "; ".join(f"column {place + 1}: {span(table.values[:, place])}" for place in usable)
    return DataError(
        f"{table.path} does not fit the survey, whichever way its columns are read ({ranges})",
        expected=f"positions and times or depths of a survey with {placing.extent()}",
        fix="give the labels of this survey, or put a first line with the names of the columns, "
        "such as: inline crossline x y z",
    )
