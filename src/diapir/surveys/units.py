"""Units of lengths and coordinates: metres, feet, and degrees of longitude and latitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.hints import CoordinateUnit

Floats = NDArray[np.float64]

XyUnit = Literal["m", "ft", "degrees"]
"""Units of coordinates on a grid; degrees are longitude (X) and latitude (Y)."""

METRES: dict[str, float] = {"m": 1.0, "ft": 0.3048}
"""Metres of each unit of length; the foot is the international one (the US survey foot differs by
2 millionths)."""
_DEGREE = 111_195.0
"""Metres of a degree of latitude on a sphere with the mean radius of the Earth."""


@dataclass(frozen=True)
class LocalPlane:
    """Metres per coordinate unit, around the middle of a survey.

    Attributes:
        east: metres per unit of X.
        north: metres per unit of Y.
        origin: coordinates of the point that offsets in metres count from; (0, 0) for lengths.
    """

    east: float
    north: float
    origin: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, unit: XyUnit, easting: Floats, northing: Floats) -> LocalPlane:
        """The plane of coordinates, NaN where unknown.

        On degrees it is equirectangular: within 100 km of its origin, areas are right to about 1 %.
        """
        if unit != "degrees":
            return cls(METRES[unit], METRES[unit])
        known = np.isfinite(easting) & np.isfinite(northing)
        if not known.any():
            return cls(_DEGREE, _DEGREE)
        middle = float(easting[known].mean()), float(northing[known].mean())
        return cls(_DEGREE * float(np.cos(np.radians(middle[1]))), _DEGREE, middle)


def to_degrees(values: Floats, unit: CoordinateUnit) -> Floats:
    """Angles in a file as degrees; lengths as they are.

    Args:
        values: scaled coordinates, NaN where unknown.
        unit: arc seconds, degrees, or ±DDDMMSS.ss as `dms`.
    """
    if unit == "arcsec":
        return values / 3600
    if unit != "dms":
        return values
    size = np.abs(values)
    degrees, minutes = np.floor(size / 10_000), np.floor(size / 100) % 100
    seconds = size - 10_000 * degrees - 100 * minutes
    found: Floats = np.sign(values) * (degrees + minutes / 60 + seconds / 3600)
    return found


def xy_unit(unit: CoordinateUnit) -> XyUnit:
    """The unit that coordinates of a file have on a grid."""
    return unit if unit in ("m", "ft") else "degrees"


def are_angles(easting: Floats, northing: Floats) -> bool:
    """Whether coordinates lie within the range of longitude and latitude in degrees."""
    known = np.isfinite(easting) & np.isfinite(northing)
    return bool(
        known.any() and np.abs(easting[known]).max() <= 360 and np.abs(northing[known]).max() <= 90
    )
