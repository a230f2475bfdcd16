"""The quiet layer above the first strong event: water above the sea bed, or a mute.

Its samples are weak noise rather than equal values. A network predicts salt there, which is quiet
as well. The layer is taken only where it is plain: almost no amplitude down to a sudden strong
event, in nearly all traces, at a depth that changes little from trace to trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EVENT = 0.3
"""Share of the 98th percentile of absolute amplitudes that the first strong event exceeds."""
QUIET = 0.05
"""Largest RMS amplitude of the quiet layer, as a share of the same percentile."""
ENERGY = 0.5
"""Share of the 98th percentile that the largest amplitude below the first event has at least."""
WAVELENGTHS = 2.0
"""Least thickness of the layer."""
LEAST = 12
"""Least thickness of the layer in samples."""
TRACES = 0.9
"""Share of the traces that show the layer."""
MUTED = 0.5
"""Share of exact zeros in the layer from which it is a mute, which equal samples tell anyway."""
STEADY = 0.8
"""Share of neighbouring traces whose first events lie within half a wavelength."""


@dataclass(frozen=True)
class QuietTop:
    """Where the traces of a survey begin to hold signal.

    Attributes:
        level: absolute amplitude of the first event; None for a flat layer.
        shallowest: quiet samples above the shallowest first event.
        deepest: likewise the deepest one.
        margin: samples above the event that are kept, as its wavelet begins there.
    """

    level: float | None
    shallowest: int
    deepest: int
    margin: int = 0

    @classmethod
    def flat(cls, samples: int) -> QuietTop:
        """A layer of the same number of samples in all traces."""
        return cls(None, samples, samples)

    def below(self, samples: int) -> QuietTop:
        """The layer in traces that begin so many samples later."""
        shallowest, deepest = (max(0, end - samples) for end in (self.shallowest, self.deepest))
        return QuietTop(self.level, shallowest, deepest, self.margin)

    def mask(self, traces: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mask of the samples in the layer, `bool`, the shape of `traces`.

        A trace without such an event loses no more than the shallowest part.

        Args:
            traces: amplitudes `(traces, samples)`; NaN is quiet.
        """
        first = max(0, self.shallowest - 2 * self.margin)
        ends = np.full(len(traces), first)
        if self.level is not None:
            strong = np.abs(traces[:, : self.deepest + 2 * self.margin]) > self.level
            found = strong.any(axis=1)
            ends[found] = np.maximum(strong[found].argmax(axis=1) - self.margin, first)
        inside: NDArray[np.bool_] = np.arange(traces.shape[1]) < ends[:, None]
        return inside


def find_quiet_top(traces: NDArray[np.float32], first_zero: float) -> QuietTop | None:
    """Find the quiet layer at the top of a survey.

    Args:
        traces: amplitudes `(traces, samples)` from the first sample of the record, neighbours one
            after the other.
        first_zero: of the vertical autocorrelation in samples, a quarter of a wavelength; NaN where
            it is not known.

    Returns:
        The layer; None where it is not plain.
    """
    known = traces[np.isfinite(traces).any(axis=1)]
    sizes = np.abs(np.nan_to_num(known, nan=0.0))
    if not len(known) or not np.isfinite(first_zero) or not sizes.any():
        return None
    wave = max(4, round(4 * first_zero))
    least = max(LEAST, round(WAVELENGTHS * wave))
    usual = float(np.percentile(sizes[sizes > 0], 98))
    strong = sizes > EVENT * usual
    events = strong.argmax(axis=1)
    found = strong.any(axis=1) & (events >= least)
    if found.mean() < TRACES:
        return None
    events, sizes = events[found], sizes[found]
    place = np.arange(sizes.shape[1])
    quiet = place < (events - wave // 2)[:, None]
    below = (place >= events[:, None]) & (place < (events + 2 * wave)[:, None])
    energy = np.where(below, sizes, 0).max(axis=1)
    noise = float(np.sqrt(np.mean(np.square(sizes[quiet], dtype=np.float64))))
    muted = float(np.mean(sizes[quiet] == 0))  # zeros are runs of equal samples
    steps = np.abs(np.diff(events))
    steady = float(np.mean(steps <= wave / 2)) if len(steps) else 1.0
    plain = noise <= QUIET * usual and muted < MUTED and steady >= STEADY
    if not plain or np.median(energy) < ENERGY * usual:
        return None
    shallowest, deepest = np.percentile(events, [1, 99])
    return QuietTop(EVENT * usual, int(shallowest), int(deepest), margin=wave // 2)
