"""Undefined values: numbers that stand for "no value here" among amplitudes or grey levels."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

HUGE = 1e29
"""Absolute values from here on are never amplitudes: OpendTect writes 1e30, others 3.4e38."""
USUAL = (
    *(-999.0, -999.25, -9999.0, -9999.25, -99999.0, -999999.0, 9999900.0),
    *(-128.0, 127.0, -32768.0, 32767.0, -2147483648.0, 2147483648.0),
)
"""Values that programs write for no value, and the ends of integer types, as `float32` has them."""
FAR, FAR_ROUND = 20.0, 4.0
"""Multiples of the largest ordinary amplitude beyond which a repeated value is no amplitude: any
value, and one that people choose, such as 10000, 9999 or 65535."""

_LEAST = 8
"""Samples that an undefined value has at least."""
_COMMON = 10
"""Multiple of the count of any other value, for a usual value within the range of the data."""
_ORDINARY = 0.999
"""Share of samples whose absolute value counts as ordinary: the others may be spikes."""
_MOST_VALUES = 4
"""Undefined values of one file at most."""


def find_undefined(values: NDArray[np.float32]) -> tuple[float, ...]:
    """Find values that stand for no value: repeated, and far outside the rest or usual for that.

    A value that clips amplitudes is repeated as well, but its opposite is about as common, and it
    is not far outside the rest.

    Args:
        values: amplitudes or grey levels of any shape; zeros, values that are not finite, and those
            of at least `HUGE` are left out, the latter because they are undefined anyway.

    Returns:
        The values, each exactly as stored; empty where there are none.
    """
    plain = values[np.isfinite(values) & (np.abs(values) < HUGE) & (values != 0)]
    levels, counts = np.unique(plain, return_counts=True)
    found: list[float] = []
    while len(levels) > 1 and len(found) < _MOST_VALUES:
        place = _undefined_place(levels, counts)
        if place is None:
            break
        found.append(float(levels[place]))
        levels, counts = np.delete(levels, place), np.delete(counts, place)
    return tuple(found)


def hide_undefined(values: NDArray[np.float32], undefined: Collection[float] = ()) -> None:
    """Replace undefined values by NaN, in place; so are infinite ones and those beyond `HUGE`."""
    with np.errstate(invalid="ignore"):
        hidden = ~(np.abs(values) < HUGE)
    for value in undefined:
        hidden |= values == np.float32(value)
    values[hidden] = np.nan


def _undefined_place(levels: NDArray[np.float32], counts: NDArray[np.int64]) -> int | None:
    """Index of an undefined level; None where there is none."""
    ends = sorted((0, len(levels) - 1), key=lambda end: -abs(float(levels[end])))
    for place in ends:
        if _stands_out(levels, counts, place) and _is_far(levels, counts, place):
            return place
    for place in np.flatnonzero(np.isin(levels, np.array(USUAL, np.float32))).tolist():
        others = np.delete(counts, place)
        if _stands_out(levels, counts, place) and counts[place] >= _COMMON * others.max():
            return int(place)
    return None


def _stands_out(levels: NDArray[np.float32], counts: NDArray[np.int64], place: int) -> bool:
    """Whether a level is repeated, and much more often than its opposite: it does not clip."""
    value, count = float(levels[place]), int(counts[place])
    near = np.abs(levels.astype(np.float64) + value) <= 0.02 * abs(value)
    return count >= _LEAST and _COMMON * int(counts[near].sum()) <= count


def _is_far(levels: NDArray[np.float32], counts: NDArray[np.int64], place: int) -> bool:
    """Whether a level lies far outside the ordinary range of the others."""
    sizes = np.abs(np.delete(levels, place).astype(np.float64))
    order = np.argsort(sizes)
    share = np.cumsum(np.delete(counts, place)[order])
    ordinary = sizes[order][np.searchsorted(share, _ORDINARY * share[-1])]
    value = float(levels[place])
    return abs(value) > (FAR_ROUND if _is_chosen(value) else FAR) * float(ordinary)


def _is_chosen(value: float) -> bool:
    """Whether a value is usual, or ± a power of ten or two, or one less."""
    powers = np.concatenate([10.0 ** np.arange(2, 29), 2.0 ** np.arange(7, 65)])
    chosen = np.concatenate([powers, powers - 1, np.abs(USUAL)]).astype(np.float32)
    return bool(np.isin(np.float32(abs(value)), chosen))
