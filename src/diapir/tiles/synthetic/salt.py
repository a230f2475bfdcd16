"""Shapes of salt bodies.

A body is a function of the pixel: positive inside, and close to the distance in pixels to its
boundary. The shapes follow the classes of Hudec and Jackson, "Terra infirma: Understanding salt
tectonics", Earth-Science Reviews 82 (2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diapir.tiles.synthetic.fields import Field, smooth_curve, smooth_field

_KINDS = ("diapir", "wall", "pillow", "sheet")
_ROOTED = {"diapir", "wall", "pillow"}


@dataclass(frozen=True)
class Salt:
    """The salt of a section.

    Attributes:
        cover: `float32 (samples, traces)` in [0, 1]: how much of each pixel is salt.
        rooted: the same for bodies that rose from below, which drag the beds that they pierce.
        kinds: the kind of each body; empty without salt.
    """

    cover: Field
    rooted: Field
    kinds: tuple[str, ...]


def make_salt(
    rng: np.random.Generator,
    shape: tuple[int, int],
    count: int,
    roof: Field,
    *,
    pillows: bool = False,
) -> Salt:
    """Draw the salt bodies of a section.

    Args:
        rng: the section's own generator.
        shape: samples and traces.
        count: number of bodies.
        roof: `float32 (traces,)`, depth above which there is no salt.
        pillows: whether most bodies are pillows.
    """
    samples, traces = shape
    shares = (0.15, 0.05, 0.75, 0.05) if pillows else (0.40, 0.18, 0.20, 0.22)
    kinds = tuple(str(rng.choice(_KINDS, p=shares)) for _ in range(count))
    cover = np.zeros(shape, np.float32)
    rooted = np.zeros(shape, np.float32)
    if not kinds:
        return Salt(cover, rooted, kinds)
    depth, trace = _wrinkled(rng, shape)
    start, stride = rng.uniform(0, traces), traces / count
    for number, kind in enumerate(kinds):
        centre = (start + (number + rng.uniform(-0.25, 0.25)) * stride) % traces
        if kind == "pillow":
            inside = _pillow(rng, depth, trace, centre, samples)
        elif kind == "sheet":
            inside = _sheet(rng, depth, trace, centre, samples)
        else:
            inside = _stem(rng, depth, trace, centre, samples, wall=kind == "wall")
        body = _coverage(np.minimum(inside, depth - roof))
        np.maximum(cover, body, out=cover)
        if kind in _ROOTED:
            np.maximum(rooted, body, out=rooted)
    return Salt(cover, rooted, kinds)


def _wrinkled(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Field, Field]:
    """Coordinates displaced by a few pixels, so that boundaries are not unnaturally smooth."""
    depth, trace = np.meshgrid(
        np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32), indexing="ij"
    )
    for scale, size in ((30.0, rng.uniform(3, 10)), (9.0, rng.uniform(0.4, 2.0))):
        depth += size * smooth_field(rng, shape, scale, scale)
        trace += size * smooth_field(rng, shape, scale, scale)
    return depth, trace


def _coverage(inside: Field) -> Field:
    """Share of each pixel inside the body; `inside` is first scaled to pixels at its boundary."""
    down, across = np.gradient(inside)
    distance = inside / np.maximum(np.hypot(down, across), 0.3)
    result: Field = np.clip(distance + 0.5, 0, 1)
    return result


def _stem(
    rng: np.random.Generator, depth: Field, trace: Field, centre: float, samples: int, *, wall: bool
) -> Field:
    """A diapir: rounded crest, overhanging bulb, neck, widening foot. A wall is broader."""
    top = samples * rng.uniform(0.06, 0.45)
    half = rng.uniform(60, 120) if wall else rng.uniform(20, 60)
    rows = np.arange(-samples, 2 * samples, dtype=np.float32)
    fall = (rows - top) / (samples - top)
    crest = np.clip((rows - top) / (half * rng.uniform(0.5, 1.6)), 0, 1)
    rounded = np.sqrt(1 - (1 - crest) ** 2)
    neck_at, neck = rng.uniform(0.45, 0.75), rng.uniform(0, 0.55)
    foot = rng.uniform(0, 1.6)
    edges = []
    for _ in range(2):
        bulb_at, bulb = rng.uniform(0.12, 0.3), rng.uniform(0, 0.2 if wall else 1.1)
        width = (
            1
            + bulb * np.exp(-(((fall - bulb_at) / 0.13) ** 2))
            - neck * np.exp(-(((fall - neck_at) / 0.2) ** 2))
            + foot * np.clip(fall, 0, 1.5) ** 4
        )
        edges.append(np.where(rows < top, rows - top, half * rounded * width))
    lean = rng.uniform(-0.35, 0.35) * (rows - top) + 14 * smooth_curve(rng, rows.size, 60.0)
    row = depth.ravel()
    left, right, middle = (
        np.interp(row, rows, table).reshape(depth.shape) for table in (*edges, centre + lean)
    )
    aside = trace - middle
    inside: Field = np.where(aside < 0, left, right) - np.abs(aside)
    return inside.astype(np.float32)


def _pillow(
    rng: np.random.Generator, depth: Field, trace: Field, centre: float, samples: int
) -> Field:
    """A swell of the source layer: gentle top, nearly flat base."""
    base = samples * rng.uniform(0.75, 1.25)
    thickness = samples * rng.uniform(0.25, 0.6)
    layer = rng.uniform(-15, 14)
    half, sharp = rng.uniform(70, 200), rng.uniform(0.8, 2.2)
    across = (trace - centre) / half
    swell = thickness * np.exp(-(np.abs(across) ** 2) * sharp) + layer
    tilt = rng.uniform(-0.15, 0.15) * (trace - centre)
    floor = base + tilt
    inside: Field = np.minimum(depth - (floor - swell), floor + 6 - depth)
    return inside.astype(np.float32)


def _sheet(
    rng: np.random.Generator, depth: Field, trace: Field, centre: float, samples: int
) -> Field:
    """An allochthonous sheet: smooth top, rougher base, pinching out, often with its feeder."""
    half, thickness = rng.uniform(90, 260), rng.uniform(35, 120)
    middle = samples * rng.uniform(0.25, 0.7)
    columns = np.arange(-200, trace.shape[1] + 200, dtype=np.float32)
    across = (columns - centre) / half
    lens = np.sqrt(np.clip(1 - across**2, 0, None))
    relief = smooth_curve(rng, columns.size, 55.0) * rng.uniform(4, 22)
    tilt = rng.uniform(-0.25, 0.25) * (columns - centre)
    roof = middle + tilt + relief - 0.45 * thickness * lens
    floor = roof + thickness * lens * (1 + 0.35 * smooth_curve(rng, columns.size, 30.0))
    floor = np.where(lens > 0, floor, roof - 20 * (np.abs(across) - 1))
    column = trace.ravel()
    above, below = (
        np.interp(column, columns, table).reshape(trace.shape) for table in (roof, floor)
    )
    inside: Field = np.minimum(depth - above, below - depth)
    if rng.random() < 0.5:
        feeder = _stem(
            rng, depth, trace, centre + rng.uniform(-0.6, 0.6) * half, samples, wall=False
        )
        # the feeder ends inside the sheet and does not reach above it
        inside = np.maximum(inside, np.minimum(feeder, depth - above))
    return inside.astype(np.float32)
