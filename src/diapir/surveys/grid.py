"""Where the traces of a survey lie: numbers of lines, samples, coordinates, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["2d", "3d"]
Domain = Literal["time", "depth", "unknown"]

DOMAIN_UNITS: dict[Domain, str] = {"time": "ms", "depth": "m", "unknown": "ms or m"}


@dataclass(frozen=True, eq=False)
class Grid:
    """The geometry of a line or a volume.

    A slice of a 3D survey is a 3D grid with one inline or one crossline. Only a line that has no
    inline and crossline numbers is 2D.

    Attributes:
        kind: 2D line or 3D grid.
        inlines: `int64 (I,)`, in the order of the file, which may fall; of a line one entry.
        crosslines: `int64 (X,)`, likewise; of a line its CDP numbers, or 1… in trace order.
        samples: samples of a trace, S.
        interval: between two samples, in ms (time) or m (depth), above 0.
        start: of the first sample, in the unit of `interval`.
        domain: what runs down the trace; "unknown" where nobody has said.
        live: `bool (I, X)`: a trace is there and not dead.
        easting: `float64 (I, X)`, scaled; NaN where unknown.
        northing: `float64 (I, X)`, likewise.
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

    @property
    def shape(self) -> tuple[int, int, int]:
        """Inlines, crosslines, samples."""
        return len(self.inlines), len(self.crosslines), self.samples

    @property
    def unit(self) -> str:
        """Unit of `interval` and `start`."""
        return DOMAIN_UNITS[self.domain]

    @property
    def vertical(self) -> NDArray[np.float64]:
        """Time or depth of each sample, `float64 (S,)`."""
        return self.start + self.interval * np.arange(self.samples, dtype=np.float64)

    @property
    def spacing(self) -> tuple[float, float]:
        """Distance from one inline to the next, and from one crossline to the next.

        Returns:
            Medians over neighbouring positions, in the unit of the coordinates; NaN where unknown.
        """
        return self._distance(axis=0), self._distance(axis=1)

    def _distance(self, axis: int) -> float:
        steps = np.hypot(np.diff(self.easting, axis=axis), np.diff(self.northing, axis=axis))
        known = steps[np.isfinite(steps)]
        return float(np.median(known)) if known.size else float("nan")
