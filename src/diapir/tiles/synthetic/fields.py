"""Smooth random curves and fields, and the Fourier tools for them and the imaging."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


def fast_size(at_least: int) -> int:
    """The smallest even size ≥ `at_least` whose Fourier transform is fast (factors 2, 3 and 5)."""
    size = at_least + at_least % 2
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 2


def wavenumbers(shape: tuple[int, int]) -> tuple[Field, Field]:
    """Vertical `(samples, 1)` and horizontal `(1, traces // 2 + 1)` cycles per pixel."""
    down = np.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    across = np.fft.rfftfreq(shape[1]).astype(np.float32)[None, :]
    return down, across


def to_spectrum(field: Field) -> Spectrum:
    """The real Fourier transform of a `(samples, traces)` field."""
    spectrum: Spectrum = np.fft.rfft2(field).astype(np.complex64, copy=False)
    return spectrum


def to_field(spectrum: Spectrum, shape: tuple[int, int]) -> Field:
    """The inverse of `to_spectrum`."""
    return np.fft.irfft2(spectrum, s=shape).astype(np.float32, copy=False)


def blur(field: Field, down: float, across: float) -> Field:
    """Gaussian blur with standard deviations in samples and traces; edges wrap around."""
    samples, traces = field.shape
    columns = _columns_kept(traces, across)
    # only columns that the blur does not remove are transformed along the other axis
    spectrum = np.fft.fft(np.fft.rfft(field, axis=1)[:, :columns], axis=0)
    spectrum *= _gaussian((samples, traces), columns, down, across)
    return np.fft.irfft(np.fft.ifft(spectrum, axis=0), traces, axis=1).astype(np.float32)


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], down: float, across: float
) -> Field:
    """A Gaussian random field of mean 0 and variance 1, smooth over `down` × `across` pixels."""
    samples, traces = shape
    columns = _columns_kept(traces, across)
    spectrum = rng.standard_normal((samples, 2 * columns), dtype=np.float32).view(np.complex64)
    spectrum *= _gaussian(shape, columns, down, across)
    field = np.fft.irfft(np.fft.ifft(spectrum, axis=0), traces, axis=1).astype(np.float32)
    field -= field.mean()
    result: Field = field / field.std()
    return result


def _columns_kept(traces: int, across: float) -> int:
    """Columns of a spectrum that stay above one millionth after a blur over `across` traces."""
    return min(traces // 2 + 1, int(0.85 * traces / max(across, 0.1)) + 2)


def _gaussian(shape: tuple[int, int], columns: int, down: float, across: float) -> Field:
    along, beside = wavenumbers(shape)
    square = (along * down) ** 2 + (beside[:, :columns] * across) ** 2
    result: Field = np.exp(np.float32(-2 * np.pi**2) * square)
    return result


def smooth_curve(rng: np.random.Generator, size: int, scale: float) -> Field:
    """A random curve of mean 0 and variance 1, correlated over `scale` pixels."""
    # twice as long, so that the two ends are not correlated
    white = np.fft.rfft(rng.standard_normal(2 * size))
    white *= np.exp(-2 * (np.pi * np.fft.rfftfreq(2 * size) * scale) ** 2)
    curve = np.fft.irfft(white, 2 * size)[:size]
    curve -= curve.mean()
    result: Field = (curve / max(float(curve.std()), 1e-9)).astype(np.float32)
    return result
