"""The numbers of a 2D line's traces, and signs that a file holds several lines or stacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.text import plural

_REPEATED = 0.1
"""Share of traces whose number another one has, up to which the numbers are kept."""
_AGAIN = 0.3
"""Share of the numbers that occur more than once, from which lines or stacks follow each other."""
_LINES = 64
"""Lines or stacks of one file at most."""
_CYCLES, _SHORTEST = 3, 3
"""Times that numbers must start again to be of lines or gathers, and traces of these."""
_FAR = 20
"""Multiple of the median step between traces from which they are not of one line."""


def repeated(numbers: NDArray[np.int64]) -> float:
    """Share of traces whose number an earlier trace has."""
    return 1 - len(np.unique(numbers)) / max(1, len(numbers))


def may_stay(numbers: NDArray[np.int64]) -> bool:
    """Whether numbers identify the traces of a line but for a few."""
    return len(np.unique(numbers)) > 1 and repeated(numbers) <= _REPEATED


def repeated_note(byte: int, numbers: NDArray[np.int64]) -> str:
    """Which numbers occur more than once, and at which traces."""
    values, counts = np.unique(numbers, return_counts=True)
    twice = values[counts > 1]
    traces = np.flatnonzero(numbers == twice[0]) + 1
    where = " and ".join(f"{trace:,}" for trace in traces[:3])
    others = f" and {plural(len(twice) - 1, 'number')} more than once" if len(twice) > 1 else ""
    return (
        f"number {twice[0]} at byte {byte} occurs {len(traces)} times, at traces {where}{others}; "
        "all numbers are kept, in file order; --crossline-byte 0 numbers the traces instead"
    )


def beginnings(numbers: NDArray[np.int64]) -> list[int]:
    """Traces, from 1, at which numbers start again that occurred before; empty for one line."""
    steps = np.diff(numbers)
    moved = steps[steps != 0]
    if len(moved) < 2:
        return []
    forward = 1 if np.count_nonzero(moved > 0) >= np.count_nonzero(moved < 0) else -1
    back = np.flatnonzero(steps * forward < 0) + 1
    values, counts = np.unique(numbers, return_counts=True)
    if not 0 < len(back) < _LINES or np.count_nonzero(counts > 1) < _AGAIN * len(values):
        return []
    return [int(trace) + 1 for trace in back]


def cycle(numbers: NDArray[Any]) -> int | None:
    """After how many traces rising or falling numbers start again, always as many; else None."""
    steps = np.diff(numbers)
    for sign in (1, -1):
        back = np.flatnonzero(steps * sign < 0)
        if len(back) < _CYCLES - 1:
            continue
        lengths = np.diff(np.r_[-1, back])
        onward = np.delete(steps, back) * sign
        if lengths[0] >= _SHORTEST and (lengths == lengths[0]).all() and (onward > 0).all():
            return int(lengths[0])
    return None


def jump(coordinates: NDArray[np.float64]) -> tuple[int, float] | None:
    """The trace, from 1, before which coordinates jump farthest, and how far; None if they do not.

    Args:
        coordinates: `float64 (traces, 2)`, in file order.
    """
    steps = np.hypot(*np.diff(coordinates, axis=0).T)
    moved = steps[np.isfinite(steps) & (steps > 0)]
    if len(moved) < 6:
        return None
    place = int(np.nanargmax(steps))
    far = float(steps[place])
    return (place + 2, far) if far > _FAR * float(np.median(moved)) else None
