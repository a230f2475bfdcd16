"""Horizons as text files for interpretation software.

The files have no header line: programs ask for the meaning of each column, and would read a comment
as a pick. A README beside the files lists the columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diapir.files import writing
from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import Bins, node_coordinates
from diapir.surveys.products.horizons import Map, vertical

HorizonFormat = Literal["opendtect", "charisma", "xyz"]
HORIZON_FORMATS: tuple[HorizonFormat, ...] = get_args(HorizonFormat)

UNDEFINED = "1e30"
"""OpendTect's undefined value: X and Y of a survey without coordinates."""

_SUFFIXES: dict[HorizonFormat, str] = {"opendtect": ".dat", "charisma": ".charisma", "xyz": ".xyz"}
_DIGITS = 3
"""Decimal places of a time in ms or a depth in m: microseconds and millimetres."""
_DEGREES = 400
"""Coordinates up to this are degrees, not metres, and need more digits."""


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

    def write_map(self, path: Path, picks: Map, form: HorizonFormat) -> tuple[Path, int]:
        """Write one pick per trace, inline by inline.

        Args:
            path: file name without its ending.
            picks: in samples, NaN where there is no pick.
            form: file format.

        Returns:
            The file and its number of picks.
        """
        count = 0
        path = path.with_name(path.name + _SUFFIXES[form])
        with writing(path) as stream:
            for row in range(len(self._grid.inlines)):
                crosslines = np.flatnonzero(np.isfinite(picks[row]))
                inlines = np.full(len(crosslines), row)
                self._rows(stream, form, inlines, crosslines, picks[row, crosslines])
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
                self._rows(
                    stream, "opendtect", *places, rows["sample"], (rows["number"], rows["body"])
                )
                count += len(rows)
        return path, count

    def _rows(
        self,
        stream: BinaryIO,
        form: HorizonFormat,
        inlines: NDArray[np.integer],
        crosslines: NDArray[np.integer],
        samples: NDArray[np.float32],
        more: tuple[NDArray[np.int32], ...] = (),
    ) -> None:
        easting, northing = self._easting[inlines, crosslines], self._northing[inlines, crosslines]
        known = np.isfinite(easting) & np.isfinite(northing)
        numbers = [self._grid.inlines[inlines].tolist(), self._grid.crosslines[crosslines].tolist()]
        place = [
            [
                f"{value:.{self._places}f}" if ok else UNDEFINED
                for value, ok in zip(axis.tolist(), known.tolist(), strict=True)
            ]
            for axis in (easting, northing)
        ]
        z = vertical(self._grid, samples).tolist()
        columns = [*place, z] if form == "xyz" else [*numbers, *place, z]
        text = f"%s %s %.{_DIGITS}f"
        if self._grid.kind == "2d" and form != "xyz":
            columns = columns[1:]
            text = f"%d {text}"
        elif form == "charisma":
            text = f"INLINE : %d XLINE : %d {text}"
        elif form == "opendtect":
            text = f"%d %d {text}"
        text += " %d" * len(more) + "\n"
        lines = zip(*columns, *(column.tolist() for column in more), strict=True)
        stream.write("".join(_format(text, lines)).encode())


def read_me(grid: Grid, forms: Sequence[HorizonFormat], coordinates: bool) -> str:
    """The README beside the files: what each column is."""
    line = grid.kind == "2d"
    number = "CDP" if line else "inline crossline"
    z = {"time": "two-way time in ms", "depth": "depth in m"}.get(grid.domain, "time or depth")
    columns = {
        "opendtect": f"{number} X Y Z",
        "charisma": "INLINE : inline XLINE : crossline X Y Z",
        "xyz": "X Y Z",
    }
    words = ["Salt horizons. Columns are separated by spaces; there is no header line.", ""]
    words += [f"*{_SUFFIXES[form]:10} {columns[form]}" for form in forms]
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
    if not coordinates:
        words.append(f"X, Y         {UNDEFINED}: the survey has no coordinates")
    return "\n".join([*words, ""])


def _format(text: str, lines: Iterable[tuple[object, ...]]) -> Iterator[str]:
    return (text % line for line in lines)
