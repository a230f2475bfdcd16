"""Made-up sections cut into tiles, for the tests of mosaics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 48

Place = tuple[int, int, int]
"""Section, row and column."""


def make_section(seed: int, rows: int, columns: int) -> NDArray[np.uint8]:
    """Smooth noise, `uint8 (rows · SIDE, columns · SIDE)`, without a tile that repeats another."""
    margin = SIDE  # the noise is periodic: without, opposite edges of a section would fit
    shape = rows * SIDE + margin, columns * SIDE + margin
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal(shape))
    down, along = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    smooth = np.fft.irfft2(noise * np.exp(-((down / 0.09) ** 2) - (along / 0.06) ** 2), shape)
    grey = np.clip(128 + smooth / smooth.std() * 40, 0, 255).astype(np.uint8)
    return grey[:-margin, :-margin]


def cut(
    sections: list[NDArray[np.uint8]], *, seed: int = 0, missing: float = 0.0
) -> tuple[NDArray[np.uint8], list[Place]]:
    """Tiles in a random order, each at its own gain and offset, and where they were."""
    rng = np.random.default_rng(seed)
    tiles, places = [], []
    for number, section in enumerate(sections):
        for row, column in np.ndindex(section.shape[0] // SIDE, section.shape[1] // SIDE):
            if rng.random() < missing:
                continue
            window = np.s_[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            tile = section[window] * rng.uniform(0.5, 0.8) + rng.uniform(0, 40)
            tiles.append(tile.astype(np.uint8))
            places.append((number, row, column))
    order = rng.permutation(len(tiles))
    return np.stack([tiles[index] for index in order]), [places[index] for index in order]
