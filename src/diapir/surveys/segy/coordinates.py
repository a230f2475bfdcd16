"""Coordinates in SEG-Y trace headers: find their bytes, and read and scale them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.header_floats import float_coordinates
from diapir.surveys.segy.traces import Headers

COORDINATE_PAIRS = ((181, 185), (73, 77))
"""Bytes of easting and northing: the CDP position since revision 1, then the source position."""
SCALAR = 71
_JUMP = 20
"""Multiple of the median step above which a step is a jump to the next line of a grid."""
_JUMPS_OF_A_GRID = 3
_WOUND = 3
"""Length of a path in multiples of its extent, above which it runs over an area."""
_SMOOTHED = 200
"""Traces above which positions are smoothed."""
_MOST_CREDIBLE = 1e8
"""Largest coordinate, in any unit of length, that is one."""


def find_coordinates(
    headers: Headers, x_byte: int | None = None, y_byte: int | None = None
) -> tuple[int, int]:
    """Find the bytes that hold coordinates.

    Args:
        headers: with `SCALAR` and the fields of `COORDINATE_PAIRS`, or those given.
        x_byte: first byte of the easting, if known; 0 for no coordinates.
        y_byte: first byte of the northing, if known; 0 for no coordinates.

    Returns:
        Bytes of easting and northing; 0 and 0 where no pair varies from trace to trace.
    """
    if x_byte is not None and y_byte is not None:
        return (x_byte, y_byte) if x_byte and y_byte else (0, 0)
    for east, north in COORDINATE_PAIRS:
        values = coordinates_at(headers, x_byte or east, y_byte or north)
        known = values[np.isfinite(values).all(axis=1)]
        if len(known) > 1 and (known != known[0]).any():
            return x_byte or east, y_byte or north
    return 0, 0


def coordinates_at(headers: Headers, x_byte: int, y_byte: int) -> NDArray[np.float64]:
    """Easting and northing of each trace.

    Args:
        headers: with these fields and `SCALAR`.
        x_byte: first byte of the easting; 0 for no coordinates.
        y_byte: first byte of the northing; 0 for no coordinates.

    Returns:
        `float64 (traces, 2)`, scaled: a negative scalar divides, a positive one multiplies, 0
        counts as 1. NaN where both numbers are 0, and everywhere without bytes.
    """
    return read_coordinates(headers, x_byte, y_byte)[0]


def read_coordinates(
    headers: Headers, x_byte: int, y_byte: int
) -> tuple[NDArray[np.float64], list[str]]:
    """The coordinates as `coordinates_at` gives them, and notes on how they are stored."""
    count = len(headers.empty)
    if not (x_byte and y_byte):
        return np.full((count, 2), np.nan), []
    east, north = headers[x_byte], headers[y_byte]
    unknown = (east == 0) & (north == 0)
    where = f"at bytes {x_byte} and {y_byte}"
    leave = "--x-byte 0 --y-byte 0 leaves them out"
    found = float_coordinates(east, north, headers[SCALAR])
    if found is not None:
        kind, values = found
        values[unknown] = np.nan
        return values, [
            f"the coordinates {where} are read as {kind} floats without a scalar, as they are not "
            f"credible as integers; {leave}"
        ]
    values = np.stack([east, north], axis=1, dtype=np.float64)
    del east, north
    scalar = headers[SCALAR].astype(np.float64)
    factor = np.ones(count)
    np.divide(1.0, -scalar, out=factor, where=scalar < 0)
    np.copyto(factor, scalar, where=scalar > 0)
    values *= factor[:, None]
    largest = max(abs(values.min(initial=0.0)), values.max(initial=0.0))
    values[unknown] = np.nan
    odd = f"coordinates of {largest:,.0f} {where} are not credible; {leave}"
    return values, [odd] if largest > _MOST_CREDIBLE else []


def looks_like_a_line(coordinates: NDArray[np.float64]) -> bool | None:
    """Whether the traces follow one line, rather than many lines with jumps between them.

    Args:
        coordinates: `float64 (traces, 2)`, in file order.

    Returns:
        None where too few coordinates are known to tell.
    """
    known = coordinates[np.isfinite(coordinates).all(axis=1)]
    steps = np.hypot(*np.diff(known, axis=0).T)
    moved = steps[steps > 0]
    if len(moved) < 2 * _JUMPS_OF_A_GRID:
        return None
    if np.count_nonzero(moved > _JUMP * np.median(moved)) >= _JUMPS_OF_A_GRID:
        return False
    if len(known) > _SMOOTHED:  # positions of closely spaced traces scatter about their line
        known = np.stack(
            [np.convolve(column, np.full(5, 0.2), "valid") for column in known.T], axis=1
        )
    path = float(np.hypot(*np.diff(known, axis=0).T).sum())
    return path <= _WOUND * float(np.hypot(*np.ptp(known, axis=0)))
