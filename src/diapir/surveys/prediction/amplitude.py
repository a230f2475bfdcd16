"""Amplitudes as the grey levels that networks learnt from, and gaps filled for their eyes only.

One symmetric scale serves a whole survey: the contrast between its sections is information. The
98th percentile of absolute amplitudes gives real lines the contrast that the TGS tiles have.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIDDLE = np.uint8(128)
"""Grey level of amplitude zero."""


def to_grey(amplitude: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    """Map amplitudes to grey levels: −scale and below to 0, zero to the middle, +scale to 255.

    Args:
        amplitude: `float32` of any shape; what is no finite number becomes the middle.
        scale: amplitude of full white, above 0.
    """
    grey = amplitude * np.float32(127.5 / scale)
    np.clip(grey, -127.5, 127.5, out=grey)
    grey += np.float32(128)  # 127.5, and a half so that cutting off rounds
    np.nan_to_num(grey, copy=False, nan=float(MIDDLE))
    np.minimum(grey, 255, out=grey)
    return grey.astype(np.uint8)


def reverse(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey levels of the amplitudes with their signs changed."""
    return np.uint8(255) - grey


def missing(amplitude: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where amplitudes are no finite numbers."""
    return ~np.isfinite(amplitude)


def fill_gaps(grey: NDArray[np.uint8], gaps: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill what is missing in a section by mirroring what lies beside it.

    Whole traces take the trace that lies as far on the other side of the gap's nearer edge; single
    samples do the same along their trace. What is all missing stays as it is.

    Args:
        grey: section `uint8 (traces, samples)`; left as it is.
        gaps: `bool`, the same shape.

    Returns:
        The filled section; `grey` itself where nothing is missing.
    """
    if not gaps.any():
        return grey
    empty = gaps.all(axis=1)
    if empty.all():
        return grey
    filled = grey.copy()
    for trace in np.flatnonzero(gaps.any(axis=1) & ~empty):
        filled[trace] = filled[trace][mirror(~gaps[trace])]
    return filled[mirror(np.logical_not(empty))] if empty.any() else filled


def mirror(live: NDArray[np.bool_]) -> NDArray[np.intp]:
    """For each place along an axis, the live place that stands for it.

    A live place stands for itself; a place in a gap is reflected at the nearer edge of the gap,
    to and fro within the run of live places there.

    Args:
        live: `bool (length,)`, at least one of them true.

    Returns:
        Indices `(length,)`, all of live places.
    """
    places = np.arange(len(live))
    edges = np.flatnonzero(np.diff(np.concatenate(([False], live, [False])).astype(np.int8)))
    firsts, lasts = edges[::2], edges[1::2] - 1  # runs of live places, both ends included
    after = np.searchsorted(firsts, places)  # the first run that starts here or later
    before = np.clip(after - 1, 0, None)
    after = np.clip(after, None, len(firsts) - 1)
    to_before = np.where(lasts[before] < places, places - lasts[before], len(live))
    to_after = np.where(firsts[after] > places, firsts[after] - places, len(live))
    nearer_before = to_before <= to_after
    run = np.where(nearer_before, before, after)
    length = lasts[run] - firsts[run] + 1
    period = np.maximum(2 * (length - 1), 1)
    step = np.where(nearer_before, to_before, to_after) % period
    step = np.where(step < length, step, period - step)
    image = np.where(nearer_before, lasts[run] - step, firsts[run] + step)
    return np.where(live, places, image)
