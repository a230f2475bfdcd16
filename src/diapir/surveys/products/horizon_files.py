"""Horizons as text files for interpretation software.

The files have no header line: programs ask for the meaning of each column, and would read a comment
as a pick. A README beside the files lists the columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diapir.files import writing
from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import Bins, node_coordinates
from diapir.surveys.products.horizons import Map, vertical

HorizonFormat = Literal["opendtect", "charisma", "xyz", "csv"]
HORIZON_FORMATS: tuple[HorizonFormat, ...] = get_args(HorizonFormat)

UNDEFINED = "1e30"
"""OpendTect's undefined value: X and Y of a survey without coordinates."""

_SUFFIXES: dict[HorizonFormat, str] = {
    "opendtect": ".dat",
    "charisma": ".charisma",
    "xyz": ".xyz",
    "csv": ".csv",
}
_DIGITS = 3
"""Decimal places of a time in ms or a depth in m or ft: microseconds and millimetres."""
_DEGREES = 400
"""Coordinates up to this may be degrees, not metres, and need more digits."""


@dataclass(frozen=True)
class PickColumn:
    """A further column of a horizon's file.

    Attributes:
        name: heading in CSV.
        values: one value per trace, `(I, X)`; NaN where unknown.
        digits: decimal places.
        csv_only: whether it is left out of OpendTect's files.
    """

    name: str
    values: NDArray[Any]
    digits: int = 3
    csv_only: bool = False

    def texts(self, inlines: NDArray[Any], crosslines: NDArray[Any], unknown: str) -> list[str]:
        """The values of some traces as text."""
        values = self.values[inlines, crosslines].tolist()
        return [f"{value:.{self.digits}f}" if math.isfinite(value) else unknown for value in values]


class HorizonWriter:
    """Writes the picks of one survey.

    Args:
        grid: geometry of the survey.
        bins: its bins, for traces without coordinates.
    """

    def __init__(self, grid: Grid, bins: Bins | None) -> None:
        self._grid = grid
        self._easting, self._northing = node_coordinates(grid, bins)
        self._places = 7 if self.has_coordinates and self._largest() <= _DEGREES else 2

    @property
    def has_coordinates(self) -> bool:
        """Whether any trace has coordinates."""
        return bool(np.isfinite(self._easting).any())

    def _largest(self) -> float:
        return float(max(np.nanmax(np.abs(self._easting)), np.nanmax(np.abs(self._northing))))

    def write_map(
        self,
        path: Path,
        picks: Map,
        form: HorizonFormat,
        columns: Sequence[PickColumn] = (),
    ) -> tuple[Path, int]:
        """Write one pick per trace, inline by inline.

        Args:
            path: file name without its ending.
            picks: in samples, NaN where there is no pick.
            form: file format.
            columns: further columns, which only OpendTect's format and CSV have room for.

        Returns:
            The file and its number of picks.
        """
        count = 0
        path = path.with_name(path.name + _SUFFIXES[form])
        with writing(path) as stream:
            if form == "csv":
                stream.write((",".join(self.headings(columns)) + "\n").encode())
            for row in range(len(self._grid.inlines)):
                crosslines = np.flatnonzero(np.isfinite(picks[row]))
                inlines = np.full(len(crosslines), row)
                lines = self.lines(form, inlines, crosslines, picks[row, crosslines], columns)
                stream.write("".join(lines).encode())
                count += len(crosslines)
        return path, count

    def write_crossings(self, path: Path, crossings: Iterable[NDArray[Any]]) -> tuple[Path, int]:
        """Write every crossing with its number and body, in OpendTect's format.

        Args:
            path: file name without its ending.
            crossings: from `horizons.crossings`.

        Returns:
            The file and its number of crossings.
        """
        count = 0
        path = path.with_name(path.name + _SUFFIXES["opendtect"])
        with writing(path) as stream:
            for rows in crossings:
                places = rows["inline"], rows["crossline"]
                numbers = zip(rows["number"].tolist(), rows["body"].tolist(), strict=True)
                lines = self.lines("opendtect", *places, rows["sample"])
                text = (
                    f"{line[:-1]} {number} {body}\n"
                    for line, (number, body) in zip(lines, numbers, strict=True)
                )
                stream.write("".join(text).encode())
                count += len(rows)
        return path, count

    def headings(self, columns: Sequence[PickColumn] = ()) -> list[str]:
        """The headings of a CSV file."""
        numbers = ["cdp"] if self._grid.kind == "2d" else ["inline", "crossline"]
        unit = "" if self._grid.domain == "unknown" else f"_{self._grid.unit}"
        across = {"m": ["easting", "northing"], "degrees": ["longitude", "latitude"]}.get(
            self._grid.xy_unit, [f"{axis}_{self._grid.xy_unit}" for axis in ("easting", "northing")]
        )
        return [*numbers, *across, f"z{unit}", *(one.name for one in columns)]

    def lines(
        self,
        form: HorizonFormat,
        inlines: NDArray[np.integer],
        crosslines: NDArray[np.integer],
        samples: NDArray[np.float32],
        columns: Sequence[PickColumn] = (),
    ) -> list[str]:
        """The lines of some picks, each with its line feed.

        Args:
            form: file format.
            inlines: grid indices of the traces.
            crosslines: likewise.
            samples: the picks, in samples.
            columns: further columns.
        """
        easting, northing = self._easting[inlines, crosslines], self._northing[inlines, crosslines]
        known = np.isfinite(easting) & np.isfinite(northing)
        unknown = "" if form == "csv" else UNDEFINED
        cells: list[list[str]] = []
        if form != "xyz":
            numbers = [self._grid.inlines[inlines], self._grid.crosslines[crosslines]]
            cells += [[str(one) for one in part.tolist()] for part in numbers]
            if self._grid.kind == "2d":
                cells = cells[1:]
        for axis in (easting, northing):
            values = zip(axis.tolist(), known.tolist(), strict=True)
            cells.append([f"{value:.{self._places}f}" if ok else unknown for value, ok in values])
        cells.append([f"{z:.{_DIGITS}f}" for z in vertical(self._grid, samples).tolist()])
        for column in columns:
            if form == "csv" or (form == "opendtect" and not column.csv_only):
                cells.append(column.texts(inlines, crosslines, unknown))
        if form == "charisma" and self._grid.kind != "2d":
            cells[0] = [f"INLINE : {number}" for number in cells[0]]
            cells[1] = [f"XLINE : {number}" for number in cells[1]]
        between = "," if form == "csv" else " "
        return [between.join(row) + "\n" for row in zip(*cells, strict=True)]


COLUMN_WORDS = {
    "probability": "mean probability of salt around the pick",
    "contrast": "mean probability just inside the salt, less that just outside: 1 is a sharp edge",
    "disagreement": "mean disagreement of inline and crossline view around the pick",
    "body": "number of the body in bodies.csv",
    "unsnapped": "Z before snapping, where the probability crosses the threshold",
}
"""What further columns are, by name without a unit."""


def read_me(
    grid: Grid,
    forms: Sequence[HorizonFormat],
    coordinates: bool,
    columns: Sequence[PickColumn] = (),
    remarks: Sequence[str] = (),
) -> str:
    """The README beside the files: what each column is.

    Args:
        grid: geometry of the survey.
        forms: formats written.
        coordinates: whether any trace has coordinates.
        columns: further columns of OpendTect's files and CSV.
        remarks: how picks were moved.
    """
    line = grid.kind == "2d"
    number = "CDP" if line else "inline crossline"
    z = {"time": "two-way time in ms", "depth": f"depth in {grid.depth_unit}"}.get(
        grid.domain, "time or depth"
    )
    xy = {"degrees": "longitude and latitude in degrees"}.get(
        grid.xy_unit, f"easting and northing in {grid.xy_unit}"
    )
    more = "".join(f" {one.name}" for one in columns if not one.csv_only)
    layout = {
        "opendtect": f"{number} X Y Z{more}",
        "charisma": "INLINE : inline XLINE : crossline X Y Z",
        "xyz": "X Y Z",
        "csv": "with a header line, for spreadsheets and scripts",
    }
    words = ["Salt horizons. Columns are separated by spaces; there is no header line.", ""]
    words += [f"*{_SUFFIXES[form]:10} {layout[form]}" for form in forms]
    words += [
        "",
        f"Z            {z}, positive down",
        "top, base    top salt and base salt: first entry into salt and last exit, per trace",
    ]
    if "opendtect" in forms:
        words += [
            "crossings    every entry and exit, with two more columns: number down the trace",
            "             (odd: entry, even: exit) and number of the body in bodies.csv",
        ]
    if set(forms) & {"opendtect", "csv"}:
        for one in columns:
            meaning = COLUMN_WORDS[one.name.partition("_")[0]]
            words.append(f"{one.name:12} {meaning}{' (CSV only)' if one.csv_only else ''}")
    words += list(remarks)
    if coordinates:
        words.append(f"X, Y         {xy}")
    else:
        words.append(f"X, Y         {UNDEFINED}: the survey has no coordinates")
    return "\n".join([*words, ""])
