"""Horizons and crossings read from text files and IRAP grids, as maps of picks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys.labels.columns import Columns, coordinates, find_columns
from diapir.surveys.labels.placing import Floats, Indices, Placing, span
from diapir.surveys.labels.text_table import Table, own_line, read_table
from diapir.surveys.labels.vertical_units import without_nulls
from diapir.surveys.products.irap import read_irap
from diapir.text import integer, listing, percent

_ELSEWHERE = 2.0
"""Spacings by which coordinates of a pick may differ from those of its trace."""
_TWICE = 1.5
"""Samples by which two picks of a trace may differ."""


@dataclass(frozen=True, eq=False)
class Picks:
    """Picks of one horizon.

    Attributes:
        name: of the horizon, from its file or a column.
        source: file, for messages.
        inline: `int64 (n,)`, index of the trace along the inline axis.
        crossline: `int64 (n,)`, along the crossline axis.
        z: `float64 (n,)`, as in the file, without undefined values.
        number: `int64 (n,)`, number down the trace (odd: into salt); only of crossings.
        z_unit: unit that the file gives.
        notes: guesses and oddities for the user.
    """

    name: str
    source: str
    inline: Indices
    crossline: Indices
    z: Floats
    number: Indices | None
    z_unit: str | None
    notes: tuple[str, ...]

    def to_map(self, placing: Placing, samples: Floats) -> Floats:
        """The picks as a map `float64 (I, X)`, NaN where there is none.

        Args:
            placing: the survey.
            samples: the picks in samples.

        Raises:
            DataError: a trace has two picks that differ.
        """
        shape = placing.grid.shape[:2]
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        where = self.inline, self.crossline
        np.minimum.at(low, where, samples)
        np.maximum.at(high, where, samples)
        twice = np.argwhere(high - low > _TWICE)
        if len(twice):
            raise DataError(
                f"{self.source} has several picks in {integer(len(twice))} traces, first in "
                f"{placing.trace_name(*twice[0].tolist())}",
                expected="one pick per trace in a horizon",
                fix="split the horizon, or give overhangs as polygons",
            )
        return np.where(np.isfinite(low), low, np.nan)


def read_picks(path: Path, placing: Placing, *, crossings: bool = False) -> list[Picks]:
    """Read the horizons of a file: one, or one for each name in a column of names.

    Args:
        path: text file or IRAP classic grid.
        placing: the survey.
        crossings: whether the two last columns are number and body, as `diapir products` writes.

    Raises:
        DataError: it cannot be read, or lies on another grid or outside the survey.
        MissingDependencyError: an IRAP grid, and surfio is not installed.
    """
    if is_irap(path):
        return [_irap_picks(path, placing)]
    table = read_table(path)
    if placing.line:
        table = own_line(table, placing.name)
    columns = find_columns(table, placing)
    other = _other_name(table, placing)
    numbers = _crossing_numbers(table, columns) if crossings else None
    found = []
    for name, rows in _names(table).items():
        number = None if numbers is None else numbers[rows]
        picks = _place(table.take(rows), columns, placing, name, number)
        found.append(replace(picks, notes=(*picks.notes, *other)))
    return found


def _other_name(table: Table, placing: Placing) -> list[str]:
    """A note where a file for a line names something that is neither the line nor a horizon."""
    names = sorted({text for texts in table.words.values() for text in texts if text})
    others = [name for name in names if not role_of(name) and name.lower() != placing.name.lower()]
    if not placing.line or not others:
        return []
    return [f"{table.path.name} names {listing(others)}, and is read as of {placing.name}"]


def is_irap(path: Path) -> bool:
    """Whether a file is an IRAP classic grid, by its first number."""
    with path.open("rb") as stream:
        return stream.read(64).split()[:1] == [b"-996"]


def _place(
    table: Table, columns: Columns, placing: Placing, name: str, number: Indices | None
) -> Picks:
    """Place the picks of a table on the grid."""
    z = without_nulls(table.values[:, columns.z])
    xy = coordinates(table, columns)
    rows, across = _by_number(table, columns, placing, xy) if columns.numbered else (None, None)
    notes = [columns.note] if columns.note else []
    picked = np.isfinite(z)
    if rows is None or across is None:
        assert xy is not None  # noqa: S101 - columns have numbers or coordinates
        rows, across, distance = placing.at(*xy)
        picked &= _nearest(rows, across, distance, placing)
    inside = (rows >= 0) & (across >= 0)
    _refuse_outside(table, columns, placing, z, inside)
    left = int((~inside & np.isfinite(z)).sum())
    if left:
        share = percent(left / np.isfinite(z).sum(), 1)
        notes.append(f"{table.path.name}: {integer(left)} picks ({share}) are outside the survey")
    kept = picked & inside
    return Picks(
        name=name,
        source=str(table.path),
        inline=rows[kept],
        crossline=across[kept],
        z=z[kept],
        number=None if number is None else number[kept],
        z_unit=table.z_unit,
        notes=tuple(notes),
    )


def _by_number(
    table: Table, columns: Columns, placing: Placing, xy: tuple[Floats, Floats] | None
) -> tuple[Indices, Indices]:
    """Indices by line numbers, and a check that coordinates agree with them."""
    assert columns.crossline is not None  # noqa: S101 - columns are numbered
    rows = np.zeros(len(table.values), np.int64)
    if columns.inline is not None:
        rows = placing.index("inline", table.values[:, columns.inline])
    across = placing.index("crossline", table.values[:, columns.crossline])
    if xy is not None:
        _refuse_elsewhere(table, placing, (rows, across), xy)
    return rows, across


def _refuse_elsewhere(
    table: Table, placing: Placing, where: tuple[Indices, Indices], xy: tuple[Floats, Floats]
) -> None:
    """Refuse picks whose numbers fit the survey and whose coordinates do not."""
    grid = placing.grid
    inside = (where[0] >= 0) & (where[1] >= 0)
    rows, across = where[0][inside], where[1][inside]
    away = np.hypot(
        xy[0][inside] - grid.easting[rows, across], xy[1][inside] - grid.northing[rows, across]
    )
    spacing = np.nanmax([*grid.spacing, -1.0]) if np.isfinite(grid.spacing).any() else -1.0
    known = np.isfinite(away)
    if not known.any() or spacing <= 0:
        return
    median = float(np.median(away[known]))
    if median > _ELSEWHERE * spacing:
        first = int(np.flatnonzero(known)[0])
        raise DataError(
            f"{table.path} is of another grid: its line numbers occur in the survey, but its "
            f"coordinates are {median:,.0f} away from those traces, such as "
            f"{placing.trace_name(int(rows[first]), int(across[first]))}",
            expected=f"labels of a survey with {placing.extent()}",
            fix="give the labels of this survey; where only coordinates are wrong, leave them out",
        )


def _nearest(
    rows: Indices, across: Indices, distance: Floats, placing: Placing
) -> NDArray[np.bool_]:
    """Of several coordinates nearest to one trace, the nearest."""
    key = np.where(rows >= 0, rows * placing.grid.shape[1] + across, -1)
    order = np.lexsort((distance, key))
    first = np.append(True, np.diff(key[order]) != 0)
    kept = np.zeros(len(key), np.bool_)
    kept[order[first]] = True
    return kept & (key >= 0)


def _refuse_outside(
    table: Table, columns: Columns, placing: Placing, z: Floats, inside: NDArray[np.bool_]
) -> None:
    if (inside & np.isfinite(z)).any() or not np.isfinite(z).any():
        return
    names = {"inline": columns.inline, "crossline": columns.crossline}
    if placing.line:
        names = {"CDP": columns.crossline}
    names |= {"X": columns.x, "Y": columns.y}
    ranges = ", ".join(
        f"{name} {span(without_nulls(table.values[:, column]))}"
        for name, column in names.items()
        if column is not None
    )
    raise DataError(
        f"{table.path} lies outside the survey: {ranges}",
        expected=f"picks of a survey with {placing.extent()}",
        fix="give the labels of this survey",
    )


def _names(table: Table) -> Mapping[str, NDArray[np.bool_]]:
    """Rows of each horizon: those that a column of names of tops and bases tells apart, or all."""
    for texts in table.words.values():
        names = np.array([text.strip() for text in texts])
        found = sorted(set(names.tolist()))
        if all(role_of(name) for name in found):
            return {name: names == name for name in found}
    return {table.path.stem: np.ones(len(table.values), np.bool_)}


def role_of(name: str) -> str:
    """Whether a name is that of a top or a base: top, base or neither (empty)."""
    words = [word for word in _words(name) if word in _ROLES]
    return _ROLES[words[0]] if len({_ROLES[word] for word in words}) == 1 else ""


def pair_name(name: str) -> str:
    """A name without the words for top and base: what a top and its base share."""
    return " ".join(word for word in _words(name) if word not in _ROLES)


_ROLES = {
    "top": "top",
    "tops": "top",
    "base": "base",
    "bottom": "base",
    "bot": "base",
    "bas": "base",
}


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


def _crossing_numbers(table: Table, columns: Columns) -> Indices:
    """Number down the trace of each crossing: the column after z, or the one so named."""
    column = table.column("number")
    if column is None:
        column = columns.z + 1
    numbers = table.values[:, column] if column < table.values.shape[1] else np.empty(0)
    if not len(numbers) or not ((numbers >= 1) & (numbers == np.rint(numbers))).all():
        raise DataError(
            f"{table.path} has no column of crossing numbers after Z",
            expected="whole numbers down each trace: odd into salt, even out of it",
            fix="give crossings as diapir products writes them, or correct --label-kind",
        )
    return numbers.astype(np.int64)


def _irap_picks(path: Path, placing: Placing) -> Picks:
    """Values of an IRAP grid at the traces of the survey, linear between its nodes."""
    grid = placing.grid
    if not np.isfinite(grid.easting).any():
        raise DataError(
            f"{path} gives positions as X and Y only, and the survey has no coordinates",
            expected="horizons with line numbers",
            fix="export the horizon with inline and crossline numbers",
        )
    surface = read_irap(path)
    z = without_nulls(surface.at(grid.easting.ravel(), grid.northing.ravel())).reshape(
        grid.shape[:2]
    )
    rows, across = np.nonzero(np.isfinite(z))
    if not len(rows):
        raise DataError(
            f"{path} lies outside the survey: X {surface.extent[0]}, Y {surface.extent[1]}, or it "
            "holds no value there",
            expected=f"a grid over a survey with {placing.extent()}",
            fix="give the labels of this survey",
        )
    return Picks(path.stem, str(path), rows, across, z[rows, across], None, None, ())


def joined_names(picks: Sequence[Picks]) -> str:
    """Files of several horizons, each once."""
    return ", ".join(dict.fromkeys(one.source for one in picks))
