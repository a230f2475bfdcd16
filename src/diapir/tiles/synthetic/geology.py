"""The rocks of a section: beds that are deposited, eroded, folded, faulted and dragged up by salt.

Every pixel is traced back to its deposition: the salt's drag is undone first, then the faults, then
the folds. This gives a stratigraphic depth, at which the impedance is read from a log. Beds
therefore keep their order, and are folded and faulted together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.tiles.synthetic.fields import Field, blur, smooth_curve, smooth_field
from diapir.tiles.synthetic.salt import Salt, make_salt
from diapir.tiles.synthetic.section_style import PLAIN, Style

_LOG_STEP = 0.25
"""Pixels between two values of a log: fine enough for beds compressed to a quarter."""


@dataclass(frozen=True)
class Geology:
    """A section before it is imaged; all fields `float32 (samples, traces)`.

    Attributes:
        impedance: logarithm of acoustic impedance about the local trend, sediments and salt.
        salt: the salt bodies.
        water: share of each pixel that is water above the sea floor.
        illumination: in [0, 1], how well each pixel is illuminated; low beneath salt.
    """

    impedance: Field
    salt: Salt
    water: Field
    illumination: Field


def make_geology(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    period: float,
    bodies: int,
    salt: Salt | None = None,
    trend: Field | None = None,
    style: Style = PLAIN,
) -> Geology:
    """Draw a section.

    Args:
        rng: the section's own generator.
        shape: samples and traces.
        period: dominant vertical period of the wavelet in pixels; bed thickness scales with it.
        bodies: number of salt bodies to draw, where `salt` is None.
        salt: known salt; None draws it.
        trend: impedance `float32 (samples, traces)` added to that of the beds; None for none.
        style: strength of the reflections at salt, and of beds.
    """
    floor = _sea_floor(rng, shape)
    roof = floor + max(10, 0.7 * period)
    if salt is None:
        salt = make_salt(rng, shape, bodies, roof, pillows=style.pillows)
    else:
        salt = _below(salt, roof)
    shadow, overburden = _shadow(rng, salt.cover)
    depth, trace = np.meshgrid(
        np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32), indexing="ij"
    )
    depth = depth + _drag(rng, salt)
    # salt is fast, so that rocks beneath it are imaged too shallow and distorted
    depth += rng.uniform(0.0, 0.15) * blur(overburden, 6, 14)
    depth += rng.uniform(1, 5) * shadow * smooth_field(rng, shape, 10, 16)
    depth = _faulted(rng, depth, trace)
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    water = np.clip(floor - rows + 0.5, 0, 1).astype(np.float32)
    beds = _beds(rng, depth, trace, period, style)
    if trend is not None:
        beds = beds + trend
    sediment = beds * (1 - water) - rng.uniform(1.5, 3.0) * water

    strength = rng.uniform(1.2, 3.0)
    patches = np.clip(1 + 0.7 * smooth_field(rng, shape, 25, 35), 0.1, 2)
    # bright at the top of salt, fading downwards: the base is weaker and discontinuous
    bright = strength * patches / (1 + overburden / rng.uniform(25, 120))
    if style is not PLAIN:
        underneath = np.cumsum(salt.cover[::-1], axis=0, dtype=np.float32)[::-1]
        bright = style.top * bright + style.base * strength * patches / (1 + underneath / 40)
    # salt is fast, so the wavelength within it is long
    chaos = rng.uniform(0.03, 0.18) * smooth_field(
        rng, shape, period * rng.uniform(0.25, 0.5), period * rng.uniform(0.25, 0.6)
    )
    impedance = sediment * (1 - salt.cover) + (bright + chaos) * salt.cover
    illumination = 1 - rng.uniform(0.35, 0.85) * shadow
    return Geology(impedance.astype(np.float32), salt, water, illumination.astype(np.float32))


def _below(salt: Salt, roof: Field) -> Salt:
    """Salt cut off where it would rise above `roof`."""
    rows = np.arange(salt.cover.shape[0], dtype=np.float32)[:, None]
    allowed = np.clip(rows - roof + 0.5, 0, 1).astype(np.float32)
    return Salt(salt.cover * allowed, salt.rooted * allowed, salt.kinds)


def _sea_floor(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Depth of the sea floor at each trace; above the section if it shows no water."""
    traces = shape[1]
    relief = rng.normal(0, 0.05) * (np.arange(traces, dtype=np.float32) - traces / 2)
    relief += rng.uniform(1, 12) * smooth_curve(rng, traces, rng.uniform(30, 150))
    depth = rng.uniform(55, 125) if rng.random() < 0.3 else -400.0
    return (depth + relief).astype(np.float32)


def _shadow(rng: np.random.Generator, cover: Field) -> tuple[Field, Field]:
    """How much of a shadow salt casts on each pixel, in [0, 1], and the salt thickness above it."""
    overburden: Field = np.cumsum(cover, axis=0, dtype=np.float32)
    beneath: Field = np.clip(overburden / 20, 0, 1).astype(np.float32) * (1 - cover)
    return np.clip(blur(beneath, 5, rng.uniform(4, 16)), 0, 1), overburden


def _drag(rng: np.random.Generator, salt: Salt) -> Field:
    """Uplift of beds in pixels: upturned at flanks, domed above, lowered in the rim syncline."""
    # rising salt has lifted everything along its path
    path = np.maximum.accumulate(salt.rooted, axis=0)
    flank = rng.uniform(8, 20)
    uplift = rng.uniform(15, 90) * blur(path, flank, flank)
    uplift += rng.uniform(30, 150) * blur(path, 35, 40)
    uplift -= rng.uniform(0, 120) * blur(path, 70, 90)
    uplift += rng.uniform(0, 25) * blur(salt.cover, 30, 40)
    return uplift


def _faulted(rng: np.random.Generator, depth: Field, trace: Field) -> Field:
    """`depth` with normal faults undone; throw is largest at the fault's centre and dies out."""
    samples, traces = depth.shape
    lean_to = 1 if rng.random() < 0.5 else -1
    for _ in range(rng.integers(0, 9)):
        centre_trace, centre_depth = rng.uniform(0, traces), samples * rng.uniform(0.1, 0.9)
        half_height = rng.uniform(50, 220)
        throw = half_height * rng.uniform(0.04, 0.16)
        side = lean_to if rng.random() < 0.75 else -lean_to
        slope = 1 / math.tan(math.radians(rng.uniform(45, 75)))
        down = (depth - centre_depth) / half_height
        ahead = side * (trace - centre_trace) - (depth - centre_depth) * slope
        profile = np.clip(1 - down**2, 0, None)
        profile *= np.sqrt(profile)
        reach = np.exp(-np.abs(ahead) / (half_height * rng.uniform(0.5, 1.5)))
        share = np.where(ahead > 0, np.float32(0.7), np.float32(-0.3))
        depth = depth - throw * profile * reach * share
    return depth


def _beds(
    rng: np.random.Generator, depth: Field, trace: Field, period: float, style: Style
) -> Field:
    """Impedance of the sediments at unfaulted depths."""
    samples, traces = depth.shape
    columns = np.arange(traces, dtype=np.float32)
    middle = columns - traces / 2
    count = int(rng.integers(2, 6))
    # sequences from the sea floor down, separated by unconformities
    tops = np.sort(rng.uniform(0.08, 1.0, count - 1)) * samples
    wavy = smooth_curve(rng, traces, rng.uniform(35, 130))
    tilt, fold = rng.normal(0, 0.1), rng.uniform(0, 16)
    growth = rng.uniform(0, 1.5) / samples
    sequence = np.zeros(depth.shape, np.float32)
    layered = np.empty(depth.shape, np.float32)
    logs, others = [], []
    span = np.arange(-samples, 2.5 * samples, _LOG_STEP)
    for number in range(count):
        if number:
            eroded = rng.uniform(1, 14) * smooth_curve(rng, traces, rng.uniform(25, 120))
            surface = tops[number - 1] + tilt * middle + fold * wavy + eroded
            here = depth >= surface
            sequence[here] = number
            if rng.random() < 0.6:  # an angular unconformity; otherwise beds are parallel across it
                tilt += rng.normal(0, 0.2)
                fold += rng.uniform(2, 24)
                wavy = 0.7 * wavy + 0.7 * smooth_curve(rng, traces, rng.uniform(24, 100))
        else:
            here = np.ones(depth.shape, bool)
        bend = tilt * middle + fold * wavy
        thickening = np.clip(1 + growth * (depth - samples / 2), 0.3, 2)
        chaotic = rng.random() < 0.2
        rough = period * (rng.uniform(0.12, 0.22) if chaotic else rng.uniform(0.02, 0.09))
        rough *= style.rough
        grain = period * (rng.uniform(0.5, 0.8) if chaotic else rng.uniform(0.6, 1.2))
        wobble = rough * smooth_field(rng, depth.shape, 0.4 * period, grain)
        np.copyto(layered, depth - bend * thickening + wobble, where=here)
        weak = rng.uniform(0.1, 0.4) if rng.random() < 0.2 else rng.uniform(0.5, 1.2)
        thickness = period * rng.uniform(0.12, 0.7)
        log, other = (weak * _log(rng, span, thickness) for _ in range(2))
        marked = _markers(rng, span, samples, period, style.markers)
        logs.append(log + marked)
        others.append(0.6 * log + 0.8 * other + marked)
    # one look-up for all sequences: their logs are concatenated
    place = layered + samples + sequence * (span.size * _LOG_STEP)
    steps = np.arange(count * span.size) * _LOG_STEP
    change = np.clip(0.5 + 0.6 * smooth_field(rng, depth.shape, 30, 90), 0, 1)
    flat = place.ravel()
    first = np.interp(flat, steps, np.concatenate(logs)).reshape(depth.shape)
    second = np.interp(flat, steps, np.concatenate(others)).reshape(depth.shape)
    impedance: Field = (first + change * (second - first)).astype(np.float32)
    return impedance


def _markers(
    rng: np.random.Generator, span: NDArray[np.float64], samples: int, period: float, count: int
) -> NDArray[np.float64]:
    """Impedance of single beds that contrast with all others, such as chalk."""
    marked = np.zeros(span.size)
    for _ in range(count):
        top, thickness = rng.uniform(0, samples), period * rng.uniform(0.2, 1.2)
        value = rng.choice((-1, 1)) * rng.uniform(1.5, 4)
        marked[(span >= top) & (span < top + thickness)] = value
    return marked


def _log(
    rng: np.random.Generator, span: NDArray[np.float64], thickness: float
) -> NDArray[np.float64]:
    """Impedance log of a stack of beds: log-normal thickness, heavy-tailed contrasts, no trend."""
    count = int(4 * (span[-1] - span[0]) / thickness) + 8
    beds = rng.lognormal(np.log(thickness), 0.7, count)
    tops = span[0] + np.cumsum(beds)
    contrasts = rng.standard_t(5, count).clip(-3.5, 3.5)
    values = np.empty(count)
    value = 0.0
    for number, contrast in enumerate(contrasts.tolist()):
        value = 0.3 * value + contrast
        values[number] = value
    log = values[np.searchsorted(tops, span).clip(0, count - 1)]
    log = np.convolve(log, np.full(5, 0.2), mode="same")  # a pixel shows the mean of its beds
    return 0.6 * log
