"""Coordinates in SEG-Y trace headers: which bytes hold them, and what they are when scaled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.traces import Headers

PAIRS = ((181, 185), (73, 77))
"""Bytes of easting and northing: of the position itself since revision 1, then of the source."""
SCALAR = 71
_JUMP = 20
"""Median steps that a step is longer than where the next line of a grid begins."""
_JUMPS_OF_A_GRID = 3


def find_coordinates(
    headers: Headers, x_byte: int | None = None, y_byte: int | None = None
) -> tuple[int, int]:
    """The bytes that hold coordinates.

    Args:
        headers: with the fields of `PAIRS` and `SCALAR`, or those given.
        x_byte: where the easting begins, if that is known; 0 for none.
        y_byte: where the northing begins, if that is known; 0 for none.

    Returns:
        Bytes of easting and northing; 0 and 0 where the traces of all pairs lie on one spot.
    """
    if x_byte is not None and y_byte is not None:
        return (x_byte, y_byte) if x_byte and y_byte else (0, 0)
    for east, north in PAIRS:
        values = coordinates_at(headers, x_byte or east, y_byte or north)
        known = values[np.isfinite(values).all(axis=1)]
        if len(known) > 1 and (known != known[0]).any():
            return x_byte or east, y_byte or north
    return 0, 0


def coordinates_at(headers: Headers, x_byte: int, y_byte: int) -> NDArray[np.float64]:
    """Easting and northing of each trace.

    Args:
        headers: with these fields and `SCALAR`.
        x_byte: where the easting begins; 0 for none.
        y_byte: where the northing begins; 0 for none.

    Returns:
        `float64 (traces, 2)`: a negative scalar divides, a positive one multiplies, 0 counts as 1.
        NaN where both numbers are 0, and without bytes.
    """
    count = len(headers.empty)
    if not (x_byte and y_byte):
        return np.full((count, 2), np.nan)
    scalar = headers[SCALAR].astype(np.float64)
    factor = np.ones(count)
    np.divide(1.0, -scalar, out=factor, where=scalar < 0)
    np.copyto(factor, scalar, where=scalar > 0)
    values = np.stack([headers[x_byte], headers[y_byte]], axis=1) * factor[:, None]
    values[(headers[x_byte] == 0) & (headers[y_byte] == 0)] = np.nan
    return np.asarray(values, np.float64)


def looks_like_a_line(coordinates: NDArray[np.float64]) -> bool | None:
    """Whether traces follow each other along one line, not along many with jumps between them.

    Args:
        coordinates: `float64 (traces, 2)`, in the order of the file.

    Returns:
        None where coordinates say nothing.
    """
    known = coordinates[np.isfinite(coordinates).all(axis=1)]
    steps = np.hypot(*np.diff(known, axis=0).T)
    moved = steps[steps > 0]
    if len(moved) < 2 * _JUMPS_OF_A_GRID:
        return None
    return int(np.count_nonzero(moved > _JUMP * np.median(moved))) < _JUMPS_OF_A_GRID
