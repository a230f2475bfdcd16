"""Synthetic sections from velocity models, with exact labels of whole salt bodies.

A model gives the P-wave velocity at each depth and distance, and so the salt. Its layers and its
salt replace the random ones; thin beds, wavelet, noise and migration are drawn as for any synthetic
section.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.tiles.synthetic.fields import Field, blur, fast_size, smooth_field
from diapir.tiles.synthetic.generate import TILE, SectionMaker, SyntheticSection
from diapir.tiles.synthetic.geology import make_geology
from diapir.tiles.synthetic.imaging import MARGIN, image, to_grey
from diapir.tiles.synthetic.salt import Salt
from diapir.tiles.synthetic.section_style import PLAIN, SHORTEST, draw_style

KEY = "velocity_m_s"
"""Array of a velocity file: `(models, depth, distance)` or `(depth, distance)`, in m/s."""

_PERIODS = (7.0, 36.0)
"""Shortest and longest vertical period of the wavelet at the top, in pixels."""
_HEADROOM = (1.1, 3.0)
"""Smallest and largest headroom of the grey scale: from clipped amplitudes to pale ones."""
_VARIED_HEADROOM = (0.9, 1.8)
"""The same for varied styles: grey values vary as much as in TGS tiles and pictures of F3."""
_TOLERANCE = 0.5
"""Largest difference from the velocity of salt, in m/s."""


@dataclass(frozen=True, eq=False)
class VelocityModels:
    """Velocity models with salt.

    Attributes:
        velocity: `float32 (models, depth, distance)` in m/s.
        salt: `bool (models, depth, distance)`: where there is salt.
    """

    velocity: NDArray[np.float32]
    salt: NDArray[np.bool_]


def read_velocity(path: Path, salt_velocity: float) -> VelocityModels:
    """Read velocity models from a NumPy archive.

    Args:
        path: an `.npz` file with `velocity_m_s`.
        salt_velocity: velocity of salt in m/s; models without it are skipped.

    Raises:
        DataError: the file or array is missing, its shape is wrong, a velocity is not positive, or
            no model has salt.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            velocity = np.asarray(archive[KEY], np.float32)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read as velocity models: {error}",
            expected=f"an .npz file with an array {KEY} (models, depth, distance) in m/s",
            fix=f"numpy.savez_compressed(FILE, {KEY}=velocity)",
        ) from None
    if velocity.ndim == 2:
        velocity = velocity[None]
    if velocity.ndim != 3 or min(velocity.shape) < 1 or min(velocity.shape[1:]) < 16:
        raise DataError(
            f"{KEY} of {path} has the shape {velocity.shape}",
            expected="(models, depth, distance) with at least 16 samples in depth and distance",
            fix="transpose or reshape the array",
        )
    if not (np.isfinite(velocity) & (velocity > 0)).all():
        raise DataError(
            f"{KEY} of {path} holds velocities that are not positive",
            expected="velocities in m/s",
            fix="fill the gaps in the models",
        )
    salt = np.abs(velocity - salt_velocity) <= _TOLERANCE
    kept = salt.any(axis=(1, 2))
    if not kept.any():
        fastest = float(velocity.max())
        raise DataError(
            f"no model of {path} has the velocity {salt_velocity:g} m/s",
            expected="the velocity of salt in these models",
            fix=f"give --salt-velocity; the highest velocity in the file is {fastest:g} m/s",
        )
    return VelocityModels(velocity[kept], salt[kept])


def section_maker(models: VelocityModels, *, varied: bool = False) -> SectionMaker:
    """A function that makes sections from these models, for `synthesise`.

    Args:
        models: the models.
        varied: whether each section has a style of its own.
    """

    def make(seed: int, number: int) -> SyntheticSection:
        return make_velocity_section(models, seed, number, varied=varied)

    return make


def make_velocity_section(
    models: VelocityModels, seed: int, number: int, *, varied: bool = False
) -> SyntheticSection:
    """Section `number` (from 0) of the survey with this seed; it depends on nothing else.

    Every model is used once before any is used again, in an order that depends on the seed. About
    half of the sections are in time, the others in depth.
    """
    count = len(models.velocity)
    turn, place = divmod(number, count)
    model = int(np.random.default_rng((seed, turn)).permutation(count)[place])
    rng = np.random.default_rng((seed, number, 2))
    velocity, salt = _part(rng, models.velocity[model], models.salt[model])
    if rng.random() < 0.5:
        velocity, salt = to_time(velocity, salt)
    samples, traces = TILE * int(rng.integers(3, 6)), TILE * int(rng.integers(5, 9))
    shape = fast_size(samples + 2 * MARGIN), fast_size(traces + 2 * MARGIN)
    cover, trend = _resampled(rng, velocity, salt, shape)
    period = _PERIODS[0] * (_PERIODS[1] / _PERIODS[0]) ** rng.random()
    style = draw_style(rng) if varied else PLAIN
    period = max(period * style.period, SHORTEST)
    geology = make_geology(
        rng,
        shape,
        period=period,
        bodies=0,
        salt=Salt(cover, cover, ("model",)),
        trend=trend,
        style=style,
    )
    amplitude = image(rng, geology, period, style)
    inner = slice(MARGIN, MARGIN + samples), slice(MARGIN, MARGIN + traces)
    least, most = _VARIED_HEADROOM if varied else _HEADROOM
    grey = to_grey(
        amplitude[inner],
        headroom=least * (most / least) ** rng.random(),
        baseline=float(rng.normal(0, 0.08)),
    )
    mask = (geology.salt.cover[inner] > 0.5).astype(np.uint8)
    return SyntheticSection(f"velocity-{number:04d}", grey, mask, ("model",) if mask.any() else ())


def to_time(
    velocity: NDArray[np.float32], salt: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Convert a model from depth to two-way time.

    Args:
        velocity: `(depth, distance)` in m/s.
        salt: `(depth, distance)`.

    Returns:
        Both `(time, distance)`, with as many samples, down to the time at the bottom of the fastest
        trace.
    """
    depths = velocity.shape[0]
    times = np.cumsum(1 / velocity.astype(np.float64), axis=0)
    wanted = np.linspace(times[0].min(), times[-1].min(), depths) * (1 - 1e-9)  # rounding
    rows = np.stack([np.searchsorted(trace, wanted) for trace in times.T], axis=1)
    rows = rows.clip(0, depths - 1)
    return np.take_along_axis(velocity, rows, 0), np.take_along_axis(salt, rows, 0)


def _part(
    rng: np.random.Generator, velocity: NDArray[np.float32], salt: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A random part of a model that holds salt, flipped half of the time."""
    if rng.random() < 0.5:
        velocity, salt = velocity[:, ::-1], salt[:, ::-1]
    depths, distances = velocity.shape
    width = int(distances * rng.uniform(0.5, 1))
    height = int(depths * rng.uniform(0.6, 1))
    column = int(rng.choice(np.flatnonzero(salt.any(axis=0))))
    left = int(np.clip(column - rng.integers(width), 0, distances - width))
    within = salt[:, left : left + width].any(axis=1)
    row = int(rng.choice(np.flatnonzero(within)))
    top = int(np.clip(row - rng.integers(height // 4, height), 0, depths - height))
    place = slice(top, top + height), slice(left, left + width)
    return velocity[place], salt[place]


def _resampled(
    rng: np.random.Generator,
    velocity: NDArray[np.float32],
    salt: NDArray[np.bool_],
    shape: tuple[int, int],
) -> tuple[Field, Field]:
    """Cover of salt, and impedance of the sediments without its trend, at a section's pixels."""
    # density by Gardner, Gardner and Gregory (1974); the constant does not matter to a logarithm
    impedance = 1.25 * np.log(velocity)
    # salt gets the sediments' mean at its depth; where there are no sediments, that of all depths
    counts = (~salt).sum(axis=1, keepdims=True)
    sums = np.where(salt, 0, impedance).sum(axis=1, keepdims=True)
    level = sums.sum() / max(int(counts.sum()), 1)
    filled = np.where(salt, np.where(counts, sums / np.maximum(counts, 1), level), impedance)
    rows = np.linspace(0, velocity.shape[0] - 1, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(0, velocity.shape[1] - 1, shape[1], dtype=np.float32)[None, :]
    # real boundaries are neither as smooth as the model's nor as angular as its cells
    scale = velocity.shape[0] / shape[0]
    wobble = [rng.uniform(0.5, 4) * scale * smooth_field(rng, shape, 9, 14) for _ in range(2)]
    cover = _at(blur(salt.astype(np.float32), 0.5, 0.5), rows + wobble[0], columns + wobble[1])
    sharp = np.clip((cover - 0.5) * 4 + 0.5, 0, 1)
    trend = _at(filled.astype(np.float32), rows + 0 * columns, columns + 0 * rows)
    trend = trend - blur(trend, 40, 80)
    strength = rng.uniform(0.3, 1.5) / max(float(trend.std()), 1e-6)
    return sharp.astype(np.float32), (strength * trend).clip(-4, 4).astype(np.float32)


def _at(field: Field, rows: Field, columns: Field) -> Field:
    """Interpolate a field bilinearly at positions given in its samples."""
    rows, columns = rows.clip(0, field.shape[0] - 1), columns.clip(0, field.shape[1] - 1)
    top = np.minimum(rows.astype(int), field.shape[0] - 2)
    left = np.minimum(columns.astype(int), field.shape[1] - 2)
    down, across = rows - top, columns - left
    above = field[top, left] * (1 - across) + field[top, left + 1] * across
    below = field[top + 1, left] * (1 - across) + field[top + 1, left + 1] * across
    values: Field = (above * (1 - down) + below * down).astype(np.float32)
    return values
