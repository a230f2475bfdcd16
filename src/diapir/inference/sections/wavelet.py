"""The wavelet length of seismic data in samples, and the factor that matches it to training data.

A network sees samples per wavelet, not milliseconds or metres. The first zero of the vertical
autocorrelation measures them for any survey or picture, in time or in depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diapir.bundle import Bundle

TGS_FIRST_ZERO = 4.0
"""Median first zero of the sections that the TGS tiles were cut from, in samples."""
TGS_SPREAD = (0.36, 1.3)
"""First zeros of most of these sections (5 % to 75 %), as multiples of `TGS_FIRST_ZERO`. Squeezing
sections above it raised Dice even where a model was trained on them as they are."""
END = 1.15
"""The ends of the scales in a training are seen too rarely to count: the range ends this factor
before them."""
LARGEST = 4.0
"""Largest factor by which traces are stretched or squeezed."""
FEWEST_SAMPLES = 32
"""Samples of a trace from which a wavelet length can be told."""
AS_ADAPTED = "as in the data that the model was adapted to (--match-sampling FACTOR sets another)"
NOISE = 1.2
"""First zero in samples below which data are taken for noise; that of white noise is 1."""

_TRACES = 128
"""Traces that are measured at most."""
_FIRST_PIECE = 101
"""Samples of a piece of trace at first: the height of a TGS tile."""
_PIECE = 16
"""Length of a piece in first zeros: four wavelengths."""
_ROUNDS = 3
"""Pieces are cut anew, by the length just found, so many times at most."""
_EQUAL = 0.25
"""Share of equal neighbouring samples from which a piece is left out: a mute, a gap or a fill."""


@dataclass(frozen=True)
class SamplingMatch:
    """By what factor traces are resampled for the network, and why.

    Attributes:
        factor: samples that the network sees for each sample of the data; 1 leaves them as they
            are.
        found: first zero of the vertical autocorrelation in samples, NaN where it cannot be told
            or where there is noise only.
        known: first zeros that the model was trained on, from and to, in samples.
    """

    factor: float
    found: float
    known: tuple[float, float]

    @property
    def note(self) -> str:
        """What was done and why, with the option that changes it."""
        if not np.isfinite(self.found):
            return (
                "traces are not resampled: their wavelet length cannot be told "
                "(--match-sampling FACTOR resamples them)"
            )
        if self.factor == 1:
            return (
                f"traces are not resampled: {self._measured} "
                "(--match-sampling FACTOR resamples them)"
            )
        return (
            f"traces are resampled by {self.factor:.2f} for the network: {self._measured} "
            "(--match-sampling none leaves them as they are)"
        )

    def compared(self, factor: float, *, of_model: bool = False) -> str:
        """What a factor that was not chosen by the measurement is beside it.

        Args:
            factor: 1 for none.
            of_model: whether it belongs to an adapted model; otherwise the user asked for it.
        """
        done = "not resampled" if factor == 1 else f"resampled by {factor:.3g} for the network"
        why = AS_ADAPTED if of_model else "as --match-sampling asks"
        if not np.isfinite(self.found):
            return f"traces are {done}, {why}"
        return f"traces are {done}, {why}: {self._measured}"

    @property
    def _measured(self) -> str:
        low, high = self.known
        place = "within" if low <= self.found <= high else "outside"
        return (
            f"first zero of their autocorrelation at {self.found:.1f} samples, {place} the "
            f"{low:.1f}–{high:.1f} that the model was trained on"
        )


def vertical_scale(bundles: Sequence[Bundle]) -> tuple[float, float]:
    """Vertical scales that all of the models were trained on, smallest and largest."""
    ranges = [bundle.info.vertical_scale for bundle in bundles]
    return max(low for low, _ in ranges), min(high for _, high in ranges)


def trained_first_zero(bundles: Sequence[Bundle]) -> float:
    """Typical first zero of the training data of models, in samples; TGS's where unrecorded."""
    found = [bundle.info.first_zero or TGS_FIRST_ZERO for bundle in bundles]
    return float(np.exp(np.mean(np.log(found))))


def is_like_tgs(found: float) -> bool:
    """Whether a first zero is within those of the TGS sections."""
    low, high = TGS_SPREAD
    return low * TGS_FIRST_ZERO <= found <= high * TGS_FIRST_ZERO


def match_sampling(
    traces: NDArray[np.float32] | NDArray[np.uint8],
    scales: tuple[float, float],
    typical: float = TGS_FIRST_ZERO,
) -> SamplingMatch:
    """Choose the factor that brings data to the wavelet length of the training data.

    Data whose wavelet length the model was trained on are left as they are: resampling them loses
    detail or context, and gains nothing (docs/results.md has the measurements).

    Args:
        traces: amplitudes or grey levels `(traces, samples)`.
        scales: smallest and largest vertical scale of the training images; (1, 1) for a training
            without rescaling.
        typical: first zero of the training data in samples, see `trained_first_zero`.

    Returns:
        The factor, within 1/`LARGEST` to `LARGEST`.
    """
    low, high = min(scales[0] * END, TGS_SPREAD[0]), max(scales[1] / END, TGS_SPREAD[1])
    known = low * typical, high * typical
    found = first_zero(traces)
    if found < NOISE:
        found = float("nan")
    if not np.isfinite(found) or known[0] <= found <= known[1]:
        return SamplingMatch(1.0, found, known)
    factor = float(np.clip(typical / found, 1 / LARGEST, LARGEST))
    return SamplingMatch(factor, found, known)


def first_zero(traces: NDArray[np.float32] | NDArray[np.uint8]) -> float:
    """Lag at which the vertical autocorrelation first crosses zero, as a median over pieces.

    Traces are cut into overlapping pieces of about four wavelengths, and each piece loses its
    parabola: slow changes of the mean level, which pictures have, would hide the wavelet otherwise.

    Args:
        traces: amplitudes or grey levels `(traces, samples)`; constant stretches, and traces with
            values that are not finite, are left out.

    Returns:
        The lag in samples, interpolated; NaN where nothing is left, traces are shorter than
        `FEWEST_SAMPLES`, or no piece crosses zero.
    """
    finite = _known(traces)
    if not len(finite) or finite.shape[1] < FEWEST_SAMPLES:
        return float("nan")
    usable = finite[:: -(-len(finite) // _TRACES)].astype(np.float64)
    length, found = _FIRST_PIECE, float("nan")
    for _ in range(_ROUNDS):
        length = min(length, usable.shape[1])
        found = _median_first_zero(usable, length)
        if not np.isfinite(found):
            break
        wanted = max(FEWEST_SAMPLES, int(_PIECE * found))
        if min(wanted, usable.shape[1]) == length:
            break
        length = wanted
    return found


def _known(
    traces: NDArray[np.float32] | NDArray[np.uint8],
) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Traces without values that are not finite, cut to the samples that most traces have."""
    finite = np.isfinite(traces)
    common = np.flatnonzero(finite.sum(axis=0) > len(traces) / 2)
    span = slice(common[0], common[-1] + 1) if len(common) else slice(0)
    return traces[:, span][finite[:, span].all(axis=1)]


def _median_first_zero(traces: NDArray[np.float64], length: int) -> float:
    """Median first zero of the pieces of `length` samples."""
    starts = range(0, traces.shape[1] - length + 1, max(1, length // 2))
    pieces = np.concatenate([traces[:, start : start + length] for start in starts])
    pieces = pieces[(np.diff(pieces, axis=1) == 0).mean(axis=1) < _EQUAL]
    if not len(pieces):
        return float("nan")
    parabolas = np.linalg.qr(np.vander(np.linspace(-1, 1, length), 3))[0]
    pieces = pieces - (pieces @ parabolas) @ parabolas.T
    power = np.abs(np.fft.rfft(pieces, 2 * length, axis=1)) ** 2
    correlation = np.fft.irfft(power, axis=1)[:, :length]
    negative = correlation <= 0
    lag = negative.argmax(axis=1)
    crossing = np.flatnonzero(negative.any(axis=1) & (lag > 0))
    if not len(crossing):
        return float("nan")
    lag = lag[crossing]
    above, below = correlation[crossing, lag - 1], correlation[crossing, lag]
    return float(np.median(lag - 1 + above / (above - below)))
