"""A made volume with a salt body, as SEG-Y, and its inlines labelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.segy import write_segy

SHAPE = (16, 120, 40)
"""Inlines 100 to 115, crosslines 300 to 419, samples."""


def made_block() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Amplitudes of layers with a chaotic body of salt, and the mask {0, 1}: both `SHAPE`."""
    rng = np.random.default_rng(4)
    inline, crossline, sample = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    amplitude = np.sin(sample / 1.6 + np.sin(crossline / 9) + inline / 15)
    amplitude += rng.normal(0, 0.15, SHAPE)
    centre = [0.5 * side for side in SHAPE]
    distance = sum(
        ((axis - middle) / radius) ** 2
        for axis, middle, radius in zip(
            (inline, crossline, sample), centre, (14, 34, 11), strict=True
        )
    )
    salt = distance < 1
    amplitude[salt] = rng.normal(3, 0.6, int(salt.sum()))
    amplitude[~salt] -= 3 * salt.mean() / (1 - salt.mean())  # amplitudes swing about zero
    return amplitude.astype(np.float32), salt.astype(np.uint8)


def write_block(folder: Path, *labelled: int) -> Path:
    """`block.sgy`, and `inline_NUMBER.png` of the inlines that are labelled."""
    amplitude, salt = made_block()
    for number in labelled:
        mask = salt[number - 100].T * np.uint8(255)
        Image.fromarray(mask).save(folder / f"inline_{number}.png")
    return write_segy(folder / "block.sgy", amplitude)
