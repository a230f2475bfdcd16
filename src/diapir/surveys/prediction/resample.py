"""Resample traces to the wavelet length of the training data, and predictions back.

A network sees samples per wavelet, not milliseconds. The first zero of the vertical autocorrelation
measures that for any survey, in time or in depth.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TGS_FIRST_ZERO = 6.3
"""First zero of the vertical autocorrelation of the TGS tiles, in samples."""
LARGEST = 4.0
"""Largest factor by which sections are stretched or squeezed."""
_LOBES = 3
"""Half width of the Lanczos kernel, in samples of the coarser of the two."""


def first_zero(traces: NDArray[np.float32]) -> float:
    """Lag at which the autocorrelation along the traces first crosses zero.

    Args:
        traces: amplitudes `float32 (traces, samples)`; constant traces, and traces with values that
            are not finite, are left out.

    Returns:
        The lag in samples, interpolated; NaN where no trace is left or it never crosses zero.
    """
    usable = traces[np.isfinite(traces).all(axis=1)].astype(np.float64)
    usable -= usable.mean(axis=1, keepdims=True)
    usable = usable[np.abs(usable).max(axis=1, initial=0) > 0]
    if not len(usable):
        return float("nan")
    samples = usable.shape[1]
    power = np.abs(np.fft.rfft(usable, 2 * samples, axis=1)) ** 2
    correlation = np.fft.irfft(power.sum(axis=0))[:samples]
    negative = np.flatnonzero(correlation <= 0)
    if not len(negative) or negative[0] == 0:
        return float("nan")
    lag = int(negative[0])
    above, below = correlation[lag - 1], correlation[lag]
    return float(lag - 1 + above / (above - below))


def resample(section: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Stretch or squeeze a section along its samples; both ends stay in place.

    Lanczos interpolation, with a wider kernel where samples become fewer, against aliasing; beyond
    its ends the section is mirrored.

    Args:
        section: `float32 (traces, samples)`.
        samples: samples per trace of the result, at least 1.

    Returns:
        `float32 (traces, samples)`.
    """
    present = section.shape[1]
    if samples == present:
        return section
    indices, weights = _taps(present, samples)
    result = np.zeros((section.shape[0], samples), np.float32)
    for index, weight in zip(indices, weights, strict=True):
        result += section[:, index] * weight
    return result


@lru_cache(maxsize=8)
def _taps(present: int, wanted: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Index of the input sample and weight of each tap, both `(taps, wanted)`."""
    step = (present - 1) / max(1, wanted - 1)
    width = max(1.0, step)
    centre = np.arange(wanted) * step
    reach = int(np.ceil(_LOBES * width))
    places = np.floor(centre).astype(np.intp) + np.arange(-reach, reach + 1)[:, None]
    distance = (places - centre) / width
    weights = np.sinc(distance) * np.sinc(distance / _LOBES) * (np.abs(distance) < _LOBES)
    weights /= weights.sum(axis=0)
    period = max(1, 2 * (present - 1))
    places = np.abs(places) % period
    places = np.where(places < present, places, period - places)
    return places, weights.astype(np.float32)
