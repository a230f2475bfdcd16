"""Resample traces for the network, and predictions back."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_LOBES = 3
"""Half width of the Lanczos kernel, in samples of the coarser of the two."""


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
