"""Amplitudes as the grey levels of the training data; gaps filled for the network's input only.

One symmetric scale serves a whole survey, as the contrast between its sections is information.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIDDLE = np.uint8(128)
"""Grey level of amplitude zero."""


def to_grey(amplitude: NDArray[np.float32], scale: float) -> NDArray[np.uint8]:
    """Map amplitudes to grey levels: −scale and below to 0, zero to 128, +scale and above to 255.

    Args:
        amplitude: `float32` of any shape; values that are not finite become 128.
        scale: amplitude that is clipped to full white, above 0.
    """
    grey = amplitude * np.float32(127.5 / scale)
    np.clip(grey, -127.5, 127.5, out=grey)
    grey += np.float32(128)  # 127.5, plus 0.5 so that truncation rounds
    np.nan_to_num(grey, copy=False, nan=float(MIDDLE))
    np.minimum(grey, 255, out=grey)
    return grey.astype(np.uint8)


def reverse(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey levels of the opposite polarity."""
    return np.uint8(255) - grey


def missing(amplitude: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask of amplitudes that are not finite."""
    return ~np.isfinite(amplitude)


def fill_gaps(grey: NDArray[np.uint8], gaps: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Fill the gaps of a section by mirroring its neighbourhood.

    A missing trace is replaced by the trace at the same distance on the other side of the nearer
    edge of its gap; missing samples of a live trace likewise along the trace. A section without any
    live trace stays as it is.

    Args:
        grey: section `uint8 (traces, samples)`; not changed.
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
    """For each index along an axis, the live index that replaces it.

    A live index is kept; one in a gap is reflected at the nearer edge of the gap, back and forth
    within the live stretch there.

    Args:
        live: `bool (length,)`, True at least once.

    Returns:
        Indices `(length,)`, all live.
    """
    places = np.arange(len(live))
    edges = np.flatnonzero(np.diff(np.concatenate(([False], live, [False])).astype(np.int8)))
    firsts, lasts = edges[::2], edges[1::2] - 1  # live stretches, both ends included
    after = np.searchsorted(firsts, places)  # the first stretch that starts here or later
    before = np.clip(after - 1, 0, None)
    after = np.clip(after, None, len(firsts) - 1)
    to_before = np.where(lasts[before] < places, places - lasts[before], len(live))
    to_after = np.where(firsts[after] > places, firsts[after] - places, len(live))
    nearer_before = to_before <= to_after
    stretch = np.where(nearer_before, before, after)
    length = lasts[stretch] - firsts[stretch] + 1
    period = np.maximum(2 * (length - 1), 1)
    step = np.where(nearer_before, to_before, to_after) % period
    step = np.where(step < length, step, period - step)
    image = np.where(nearer_before, lasts[stretch] - step, firsts[stretch] + step)
    return np.where(live, places, image)
