"""The geometry of a survey: line numbers, samples, coordinates and live traces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.hints import LengthUnit
from diapir.surveys.units import LocalPlane, XyUnit

Kind = Literal["2d", "3d"]
Domain = Literal["time", "depth", "unknown"]


@dataclass(frozen=True, eq=False)
class Grid:
    """The geometry of a 2D line or a 3D volume.

    A slice of a 3D survey is a 3D grid with one inline or one crossline; a line without inline and
    crossline numbers is 2D.

    Attributes:
        kind: 2D line or 3D volume.
        inlines: `int64 (I,)`, rising or falling as in the file; one entry for a 2D line.
        crosslines: `int64 (X,)`, rising or falling as in the file; for a 2D line its CDP
            numbers, or 1 to X in file order.
        samples: samples per trace, S.
        interval: sample interval in ms (time) or in `depth_unit`, above 0.
        start: time or depth of the first sample, in the same unit.
        domain: domain of the vertical axis; "unknown" where neither file nor user says.
        live: `bool (I, X)`, True where there is a trace that is not dead.
        easting: `float64 (I, X)`, scaled; NaN where unknown.
        northing: `float64 (I, X)`, scaled; NaN where unknown.
        depth_unit: unit of depths.
        xy_unit: unit of `easting` and `northing`; degrees are longitude and latitude.
    """

    kind: Kind
    inlines: NDArray[np.int64]
    crosslines: NDArray[np.int64]
    samples: int
    interval: float
    start: float
    domain: Domain
    live: NDArray[np.bool_]
    easting: NDArray[np.float64]
    northing: NDArray[np.float64]
    depth_unit: LengthUnit = "m"
    xy_unit: XyUnit = "m"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Inlines, crosslines, samples."""
        return len(self.inlines), len(self.crosslines), self.samples

    @property
    def unit(self) -> str:
        """Unit of `interval` and `start`."""
        units = {"time": "ms", "depth": self.depth_unit, "unknown": f"ms or {self.depth_unit}"}
        return units[self.domain]

    @property
    def vertical(self) -> NDArray[np.float64]:
        """Time or depth of each sample, `float64 (S,)`."""
        return self.start + self.interval * np.arange(self.samples, dtype=np.float64)

    @property
    def spacing(self) -> tuple[float, float]:
        """Distance between neighbouring inlines, and between neighbouring crosslines.

        Returns:
            Medians over neighbouring positions, in coordinate units; NaN where unknown.
        """
        return self._distance(axis=0), self._distance(axis=1)

    @property
    def spacing_m(self) -> tuple[float, float]:
        """The same in metres."""
        plane = self.plane
        return (
            self._distance(0, plane.east, plane.north),
            self._distance(1, plane.east, plane.north),
        )

    @property
    def plane(self) -> LocalPlane:
        """Metres per unit of the coordinates."""
        return LocalPlane.of(self.xy_unit, self.easting, self.northing)

    def _distance(self, axis: int, east: float = 1.0, north: float = 1.0) -> float:
        steps = np.hypot(
            np.diff(self.easting, axis=axis) * east, np.diff(self.northing, axis=axis) * north
        )
        known = steps[np.isfinite(steps)]
        return float(np.median(known)) if known.size else float("nan")
