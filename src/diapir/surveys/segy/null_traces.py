"""Traces without a place: null traces, and those whose header has no numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.traces import Headers
from diapir.text import listing, plural

DEAD = 2
"""Trace identification code of a dead trace."""
CODE = 29
"""Byte of the trace identification code."""


def is_dead(headers: Headers) -> NDArray[np.bool_]:
    """Mask of traces whose samples are all 0, or that are marked dead."""
    return np.asarray(headers.empty | (headers[CODE] == DEAD), np.bool_)


def without_number(headers: Headers, inline_byte: int, crossline_byte: int) -> NDArray[np.bool_]:
    """Mask of traces that have no place: 0 where no trace with samples has that number.

    Of traces with samples, those of a volume that have neither number.

    Args:
        headers: with `CODE` and these fields.
        inline_byte: byte of the inline number; 0 for a 2D line.
        crossline_byte: byte of the crossline number or CDP; 0 for file order.
    """
    numbers = [headers[byte] for byte in (inline_byte, crossline_byte) if byte]
    left_out = np.zeros(len(headers.empty), np.bool_)
    if not numbers:
        return left_out
    dead = is_dead(headers)
    neither = np.all([values == 0 for values in numbers], axis=0)
    strange = [values == 0 for values in numbers if not _continues(values)]
    if inline_byte and len(strange) == 2:
        left_out |= neither
    if np.count_nonzero(dead & neither) > 1 or (neither & ~dead).any():
        left_out |= dead & neither  # one position for several
    for zero in strange:
        if not (zero & ~dead & ~left_out).any():
            left_out |= dead & zero
    return left_out if not left_out.all() else np.zeros_like(left_out)


def _continues(numbers: NDArray[np.int64]) -> bool:
    """Whether 0 is one of the evenly spaced numbers of an axis, or next to them."""
    others = np.unique(numbers[numbers != 0])
    if len(others) < 2:
        return len(others) == 1 and abs(int(others[0])) == 1
    step = int(np.diff(others).min())
    return bool(others[0] - step <= 0 <= others[-1] + step)


def left_out_note(headers: Headers, left_out: NDArray[np.bool_]) -> str:
    """How many traces of a mask were left out, and which."""
    traces = np.flatnonzero(left_out) + 1
    live = int(np.count_nonzero(~headers.empty[left_out]))
    verb = "are" if len(traces) > 1 else "is"
    return (
        f"{plural(len(traces), 'trace')} without a position in the header {verb} left out "
        f"({f'{live:,}' if live else 'none'} with samples): number "
        f"{listing([f'{trace:,}' for trace in traces])}"
    )
