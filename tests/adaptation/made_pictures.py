"""Made pictures whose salt a tiny network learns in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]


def made_section(seed: int, shape: tuple[int, int] = (64, 160)) -> tuple[Bytes, Bytes]:
    """A layered section with a bright body of salt: grey and mask {0, 1}, both `shape`."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    layers = 60 + 40 * np.sin(rows / 1.5 + np.sin(columns / 20 + seed))
    grey = layers + rng.normal(0, 8, shape)
    centre = (shape[0] * 0.6, shape[1] * rng.uniform(0.45, 0.55))
    distance = ((rows - centre[0]) / 18) ** 2 + ((columns - centre[1]) / 50) ** 2
    mask = distance < 1
    grey[mask] = 190 + rng.normal(0, 25, int(mask.sum()))
    return grey.clip(0, 255).astype(np.uint8), mask.astype(np.uint8)


def write_pictures(folder: Path, count: int = 3, labelled: tuple[int, ...] = (0,)) -> Path:
    """`line0.png` …, with `line0_salt.png` (0 and 255) beside those that are labelled."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        grey, mask = made_section(number)
        Image.fromarray(grey).save(folder / f"line{number}.png")
        if number in labelled:
            Image.fromarray(mask * np.uint8(255)).save(folder / f"line{number}_salt.png")
    return folder
