"""From rocks to a grey image: acquisition and migration of a section.

A migrated image is the reflectivity convolved with a point spread function: the wavelet across the
beds, and only the dips that were illuminated (Lecomte, "Resolution and illumination analyses in
PSDM: A ray-based approach", The Leading Edge 27, 2008). In the wavenumber domain that is one
product, so steep flanks fade and dipping beds keep their wavelet, as in real images.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from diapir.tiles.synthetic.fields import (
    Field,
    Spectrum,
    blur,
    smooth_field,
    to_field,
    to_spectrum,
    wavenumbers,
)
from diapir.tiles.synthetic.geology import Geology
from diapir.tiles.synthetic.section_style import PLAIN, Style

MARGIN = 40
"""Pixels cut off on each side after imaging, as Fourier filters wrap around the edges."""


def image(rng: np.random.Generator, geology: Geology, period: float, style: Style = PLAIN) -> Field:
    """Amplitudes `float32 (samples, traces)` of a section, of arbitrary scale.

    Args:
        rng: the section's own generator.
        geology: the rocks.
        period: dominant vertical period of the wavelet at the top, in pixels.
        style: chaos, noise and gain.
    """
    shape = geology.impedance.shape
    depth = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    section = _migrate(rng, geology.impedance * _fade(shape[0])[:, None] * _fade(shape[1]), period)
    section *= np.exp(-rng.uniform(0, 0.8) * depth) * geology.illumination
    if geology.water.any() and rng.random() < 0.5:
        section += _multiple(rng, section, geology.water)
    disturbed = _swings(rng, shape, period) + _noise(rng, geology, period)
    if style.interior:
        patches = np.clip(1 + 0.5 * smooth_field(rng, shape, 30, 30), 0.2, 2)
        disturbed += style.interior * patches * _streaks(rng, shape, period) * geology.salt.cover
    if style.noise:
        disturbed += style.noise * _streaks(rng, shape, period)
    section += disturbed * section.std() * (1 - 0.9 * geology.water)
    section = _balance(rng, section)
    if not style.gain:
        return section
    power = np.maximum(blur(section**2, 20, 30), 0)
    evened: Field = (section / (np.sqrt(power) + 0.2 * section.std()) ** style.gain).astype(
        np.float32
    )
    return evened


def to_grey(section: Field, headroom: float, baseline: float) -> NDArray[np.uint8]:
    """Grey levels on one symmetric scale: `headroom` × the 98th percentile of the section.

    Args:
        section: amplitudes.
        headroom: scale factor; 1 clips 2 % of the amplitudes.
        baseline: offset of the recording, as a share of that scale.
    """
    scale = max(headroom * float(np.percentile(np.abs(section), 98)), 1e-9)
    level = np.clip(section / scale + baseline, -1, 1) * 127.5 + 127.5
    grey: NDArray[np.uint8] = np.rint(level).astype(np.uint8)
    return grey


def _fade(size: int) -> Field:
    """1 inside, falling to 0 over the margin at both ends, to avoid a step where it wraps."""
    inward = np.minimum(np.arange(size), np.arange(size)[::-1])
    weight: Field = np.sin(np.clip(inward / MARGIN, 0, 1) * np.pi / 2).astype(np.float32) ** 2
    return weight


def _migrate(rng: np.random.Generator, impedance: Field, period: float) -> Field:
    """Reflectivity convolved with the point spread function; the wavelet lengthens with depth."""
    shape = impedance.shape
    down, across = wavenumbers(shape)
    wavenumber = np.hypot(down, across)
    steep = np.abs(down) / np.maximum(wavenumber, 1e-6)
    tilt = np.arccos(np.minimum(steep, 1))
    limit, edge = math.radians(rng.uniform(55, 85)), rng.uniform(4, 12)
    aperture = steep**0.3 / (1 + (tilt / limit) ** edge)
    phase = np.exp(1j * np.sign(down) * (np.pi / 2 + rng.normal(0, 0.3)))
    polarity = 1 if rng.random() < 0.75 else -1
    normal = (polarity * phase * wavenumber * aperture).astype(np.complex64)
    spectrum: Spectrum = to_spectrum(impedance) * normal
    ricker, width = rng.random() < 0.4, rng.uniform(2.0, 4.5)
    stretch = rng.uniform(1.2, 1.9)
    # three wavelets, blended over depth
    fraction = np.linspace(0, 2, shape[0], dtype=np.float32)[:, None]
    section = np.zeros(shape, np.float32)
    for number in range(3):
        relative = wavenumber * (period * stretch ** (number / 2))
        wavelet = _ricker(relative) if ricker else _ormsby(relative, width)
        weight = np.clip(1 - np.abs(fraction - number), 0, 1)
        section += weight * to_field((spectrum * wavelet).astype(np.complex64), shape)
    return section / max(float(section.std()), 1e-9)


def _ricker(relative: Field) -> Field:
    """Amplitude spectrum of a Ricker wavelet over wavenumber relative to its peak."""
    square = relative**2
    result: Field = square * np.exp(1 - square)
    return result


def _ormsby(relative: Field, width: float) -> Field:
    """A trapezoid from .25–.6 of the peak wavenumber to `width`/2–`width` times it."""
    rise = np.clip((relative - 0.25) / 0.35, 0, 1)
    fall = np.clip((width - relative) / (0.5 * width), 0, 1)
    result: Field = np.sin(rise * np.pi / 2) * np.sin(fall * np.pi / 2)
    return result


def _multiple(rng: np.random.Generator, section: Field, water: Field) -> Field:
    """A multiple: the section again, weak, of opposite polarity, one water depth further down."""
    shift = int(water.sum(axis=0).mean())
    echo: Field = np.zeros_like(section)
    faded = section * _fade(section.shape[0])[:, None]  # an edge would appear as a line
    echo[shift:] = -rng.uniform(0.08, 0.25) * faded[: section.shape[0] - shift]
    return echo


def _swings(rng: np.random.Generator, shape: tuple[int, int], period: float) -> Field:
    """Migration smiles: single amplitudes smeared along circles that open upwards."""
    swings = np.zeros(shape, np.float32)
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    for _ in range(rng.integers(0, 7)):
        radius, row, column = rng.uniform(60, 260), rng.uniform(-150, 200), rng.uniform(0, shape[1])
        left = int(np.clip(column - radius - 60, 0, shape[1] - 1))
        right = int(np.clip(column + radius + 60, left + 1, shape[1]))
        aside, below = columns[:, left:right] - column, rows - row
        distance = (np.hypot(aside, below) - radius) * (np.pi / (period * rng.uniform(1, 1.6)))
        pulse = (1 - 2 * distance**2) * np.exp(-(distance**2))
        lean, spread = rng.uniform(-0.7, 0.7), rng.uniform(0.25, 0.6)
        taper = np.exp(-(((np.arctan2(aside, below) - lean) / spread) ** 2))
        swings[:, left:right] += rng.uniform(0.2, 0.9) * pulse * taper
    return swings


def _noise(rng: np.random.Generator, geology: Geology, period: float) -> Field:
    """Coloured noise: random noise after migration, strongest in poorly illuminated pixels."""
    shape = geology.impedance.shape
    down, across = wavenumbers(shape)
    scale = period * rng.uniform(0.8, 1.3)
    wavenumber: Field = np.hypot(down * scale, across * scale)
    smear = rng.uniform(0.0, 0.3) * period
    colour = _ricker(wavenumber) * np.exp(-2 * (np.pi * across * smear) ** 2)
    if rng.random() < 0.5:  # linear noise: one dip, steep or not, that crosses beds and salt
        dip, spread = rng.uniform(-1.3, 1.3), rng.uniform(0.15, 0.5)
        tilt = np.arctan(across / np.where(down == 0, np.float32(1e-6), down))
        colour = colour * (0.25 + np.exp(-(((tilt - dip) / spread) ** 2)))
    white = rng.standard_normal(shape, dtype=np.float32)
    noise = to_field((to_spectrum(white) * colour).astype(np.complex64), shape)
    noise /= noise.std()
    level = float(rng.choice((0.06, 0.16, 0.4))) * rng.uniform(0.7, 1.6)
    unseen = 1 + rng.uniform(0, 1.5) * (1 - geology.illumination)
    patches = np.clip(1 + 0.5 * smooth_field(rng, shape, 40, 60), 0.3, 2.5)
    fine = rng.uniform(0.02, 0.08) * smooth_field(rng, shape, 0.5, 0.7)
    # salt itself does not scatter; most of its noise comes from around it
    quiet = 1 - rng.uniform(0.1, 0.8) * geology.salt.cover
    result: Field = (level * noise * unseen * patches + fine) * quiet
    return result


def _streaks(rng: np.random.Generator, shape: tuple[int, int], period: float) -> Field:
    """Chaotic reflections of unit variance, of all dips, some of them prevailing in places.

    Salt has no beds, so what is seen in it are remains of waves that migration did not focus.
    """
    down, across = wavenumbers(shape)
    relative: Field = np.hypot(down, across) * np.float32(period * rng.uniform(0.8, 1.7))
    # a broad band that falls towards high wavenumbers, since the waves have come a long way
    band = _ormsby(relative, rng.uniform(2.5, 5)) / np.maximum(relative, 0.3) ** 0.8
    angle = np.arctan(across / np.where(down == 0, np.float32(1e-6), down))
    white = to_spectrum(rng.standard_normal(shape, dtype=np.float32)) * band
    even = rng.uniform(0.15, 0.5)
    field = np.zeros(shape, np.float32)
    for _ in range(3):  # each dip prevails in places of its own
        dip, spread = rng.uniform(-1.5, 1.5), rng.uniform(0.3, 0.7)
        preferred = even + np.exp(-(((angle - dip) / spread) ** 2))
        place = np.clip(smooth_field(rng, shape, 25, 20), 0.05, None)
        field += place * to_field((white * preferred).astype(np.complex64), shape)
    result: Field = field / field.std()
    return result


def _balance(rng: np.random.Generator, section: Field) -> Field:
    """Automatic gain control of a strength that differs between sections."""
    window = rng.uniform(25, 70)
    power = np.maximum(blur(section**2, window, 1.5 * window), 0)
    floor = 0.1 * float(section.std())
    gain = (np.sqrt(power) + floor) ** -rng.uniform(0.3, 0.75)
    return (section * gain).astype(np.float32, copy=False)
