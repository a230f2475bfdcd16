"""No data: long stretches of exactly equal values, which mutes, water and padding leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WAVELENGTHS = 3.0
"""Wavelengths from which equal samples along a trace are no data."""
LEAST = 16
"""Equal samples that no data needs at least."""
LEAST_COARSE = 48
"""The same where values have few levels, as in pictures: weak reflections can be equal there. In
TGS tiles 0.015 % of the salt lies in such a run, and 1 % in runs of 16."""
LEAST_BAR = 4
"""Rows of a picture that a bar of one grey level has at least."""
TINY = 1e-4
"""Share of the clipping amplitude below which an amplitude is 0: a hundredth of a grey level."""
FEW_LEVELS = 256
"""Distinct values up to which amplitudes count as coarse."""


def least_run(first_zero: float, *, coarse: bool) -> int:
    """Number of equal samples along a trace from which they are no data.

    Args:
        first_zero: of the vertical autocorrelation in samples, a quarter of a wavelength; NaN where
            it is not known.
        coarse: whether the values have few levels (`has_few_levels`).
    """
    least = LEAST_COARSE if coarse else LEAST
    return max(least, round(4 * WAVELENGTHS * first_zero)) if np.isfinite(first_zero) else least


def has_few_levels(values: NDArray[np.float32] | NDArray[np.uint8]) -> bool:
    """Whether values take at most `FEW_LEVELS` levels, as those of 8-bit data do."""
    return len(np.unique(values[np.isfinite(values)])) <= FEW_LEVELS


def with_true_zeros(traces: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Amplitudes with 0 for those that only rounding or a filter keeps from it.

    Args:
        traces: amplitudes of any shape.
        scale: amplitude that is clipped to full white.
    """
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(traces) < TINY * scale, np.float32(0), traces)


def no_data(traces: NDArray[np.float32] | NDArray[np.uint8], least: int) -> NDArray[np.bool_]:
    """Mask of the samples that hold no data.

    Args:
        traces: amplitudes or grey levels `(traces, samples)`; NaN equals nothing.
        least: number of equal samples from which a run is no data, at least 2. A trace that is
            constant is no data, however short it is.

    Returns:
        `bool (traces, samples)`.
    """
    samples = traces.shape[1]
    if samples < 2:
        return np.zeros(traces.shape, bool)
    same = traces[:, 1:] == traces[:, :-1]
    found = np.zeros(traces.shape, bool)
    least = min(least, samples)
    # most sections have no run at all, which the traces with enough equal neighbours tell
    for trace in np.flatnonzero(np.count_nonzero(same, axis=1) >= least - 1):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], same[trace], [False]))))
        runs = edges.reshape(-1, 2)  # first and last sample of each
        for first, last in runs[np.diff(runs)[:, 0] >= least - 1]:
            found[trace, first : last + 1] = True
    return found


def blank(picture: NDArray[np.uint8], least: int) -> NDArray[np.bool_]:
    """Mask of the pixels of a picture that hold no data.

    Besides runs along columns these are bars: adjoining rows that have one grey level from side to
    side. A single such row may be a flat layer.

    Args:
        picture: grey levels `uint8 (H, W)`.
        least: as for `no_data`.

    Returns:
        `bool (H, W)`.
    """
    found = no_data(picture.T, least).T.copy()
    level = np.where(np.ptp(picture, axis=1) == 0, picture[:, 0], np.float32(np.nan))
    if len(level) > LEAST_BAR:
        found[no_data(level[None], LEAST_BAR)[0]] = True
    return found
