"""Pseudo-labels of a mosaic's sections, which `diapir data pseudo --mosaic` writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.tiles.files.decode import read_image

PSEUDO = Path("sections", "pseudo")
"""Folder in a mosaic: one PNG of {0, 1, 255} for each section."""


def pseudo_path(folder: Path, name: str) -> Path:
    """The pseudo-labels of a section; the file need not exist."""
    return folder / PSEUDO / f"{name}.png"


def read_pseudo(folder: Path, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The pseudo-labels of a section, `uint8 (H, W)` of {0, 1, 255}; 255 if it has none.

    Args:
        folder: of the mosaic.
        name: of the section.
        shape: height and width of the section in pixels.

    Raises:
        DataError: the file cannot be read, or has another size or other values.
    """
    path = pseudo_path(folder, name)
    if not path.exists():
        return np.full(shape, IGNORE, np.uint8)
    labels = read_image(path)
    if labels.shape != shape:
        raise DataError(
            f"{path} has {labels.shape[0]} × {labels.shape[1]} pixels",
            expected=f"{shape[0]} × {shape[1]}, as section {name}",
            fix="diapir data pseudo MODELS --data PATH --mosaic FOLDER --out NEW",
        )
    if wrong := set(np.unique(labels).tolist()) - {0, 1, IGNORE}:
        raise DataError(
            f"{path} holds the value {min(wrong)}",
            expected="0 (background), 1 (salt) and 255 (ignored)",
            fix="diapir data pseudo MODELS --data PATH --mosaic FOLDER --out NEW",
        )
    return labels
