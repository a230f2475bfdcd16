"""The units of a SEG-Y file: bytes 3255 and 89, as far as they are credible, or those given."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from diapir.surveys.hints import CoordinateUnit, LengthUnit, SurveyHints
from diapir.surveys.segy.geometry import SegyGeometry
from diapir.surveys.segy.layout.binary_header import HEAD
from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.units import Floats, XyUnit, are_angles, to_degrees, xy_unit

_SYSTEM = 3255
_LENGTHS: dict[int, LengthUnit] = {1: "m", 2: "ft"}
"""Measurement systems at byte 3255."""
_ANGLES: dict[int, CoordinateUnit] = {2: "arcsec", 3: "degrees", 4: "dms"}
"""Coordinate units at byte 89 that are angles; 1 is length."""
_WORDS = {"arcsec": "arc seconds", "degrees": "degrees", "dms": "degrees, minutes and seconds"}
_CLOSE = 1.5
"""Distance between traces in m below which coordinates may be angles."""


@dataclass(frozen=True)
class SegyUnits:
    """Units of a SEG-Y file, and its coordinates in them.

    Attributes:
        depth: unit of depths.
        stored: unit of the coordinates in the file.
        easting: `float64 (I, X)`; degrees of longitude where the file has angles.
        northing: likewise, latitude.
        stated: whether the file or the user states the unit of lengths.
        notes: what was taken for what, with the option that changes it.
    """

    depth: LengthUnit
    stored: CoordinateUnit
    easting: Floats
    northing: Floats
    stated: bool
    notes: tuple[str, ...]

    @property
    def coordinates(self) -> XyUnit:
        """Unit of `easting` and `northing`."""
        return xy_unit(self.stored)


def find_units(
    head: bytes, layout: SegyLayout, geometry: SegyGeometry, hints: SurveyHints, feet: str
) -> SegyUnits:
    """Find the units of lengths and coordinates.

    Args:
        head: at least the first 3600 bytes of the file.
        layout: of the file.
        geometry: with scaled coordinates.
        hints: units that the user gives.
        feet: line of the text header that names feet; empty where none does.
    """
    code = struct.unpack_from(layout.order + "h", head[:HEAD], _SYSTEM - 1)[0]
    length = _LENGTHS.get(code, "m")
    depth = hints.depth_unit or length
    stored, notes = _coordinate_unit(geometry, length, hints)
    easting, northing = (to_degrees(x, stored) for x in (geometry.easting, geometry.northing))
    asked = hints.depth_unit is not None and hints.coordinate_unit is not None
    if length == "ft" and not asked:
        notes.append(
            "lengths are in feet, as byte 3255 states: depths"
            + (" and coordinates" if stored == "ft" else "")
            + "; areas and volumes are in m² and m³ (--depth-unit m, --coordinate-unit m)"
        )
    if feet and "ft" not in (depth, stored) and not asked:
        notes.append(
            f'the text header says "{feet}", but lengths are read as m (--depth-unit ft, '
            "--coordinate-unit ft)"
        )
    stated = code in _LENGTHS or asked
    return SegyUnits(depth, stored, easting, northing, stated, tuple(notes))


def _coordinate_unit(
    geometry: SegyGeometry, length: LengthUnit, hints: SurveyHints
) -> tuple[CoordinateUnit, list[str]]:
    """The unit of the coordinates, and what to say about it."""
    if hints.coordinate_unit is not None:
        return hints.coordinate_unit, []
    east, north = geometry.easting, geometry.northing
    known = np.isfinite(east) & np.isfinite(north)
    if not known.any():
        return length, []
    angle = _ANGLES.get(geometry.coordinate_code)
    if angle is None:
        return length, _doubt(geometry, length)
    if not are_angles(to_degrees(east, angle), to_degrees(north, angle)):
        return length, [
            f"byte 89 states {_WORDS[angle]}, which the coordinates cannot be: read as {length} "
            "(--coordinate-unit)"
        ]
    return angle, [
        f"coordinates are {_WORDS[angle]}, as byte 89 states: given as degrees of longitude and "
        "latitude; distances, areas and volumes are from a plane around their middle "
        "(--coordinate-unit m reads lengths)"
    ]


def _doubt(geometry: SegyGeometry, length: LengthUnit) -> list[str]:
    """A note where lengths look like angles, unless byte 89 states lengths."""
    if geometry.coordinate_code == 1:
        return []
    east, north = geometry.easting, geometry.northing
    if are_angles(east, north):
        return [
            f"coordinates are read as {length}, but could be degrees of longitude and latitude "
            "(--coordinate-unit degrees)"
        ]
    steps = np.hypot(np.diff(east, axis=1), np.diff(north, axis=1))
    steps = steps[steps > 0]
    seconds = are_angles(east / 3600, north / 3600)
    if seconds and steps.size and float(np.median(steps)) < _CLOSE:
        return [
            f"neighbouring traces are {float(np.median(steps)):.2g} {length} apart: the "
            "coordinates may be arc seconds (--coordinate-unit arcsec)"
        ]
    return []
