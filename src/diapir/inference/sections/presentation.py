"""Sections as an adapted model is shown them: resampled as its bundle says, predictions back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.bundle import Bundle, SurveySettings
from diapir.errors import ConfigError


def settings_of(bundles: Sequence[Bundle]) -> SurveySettings | None:
    """The settings of the survey that models were adapted to; None for models of no survey.

    Raises:
        ConfigError: models of different settings, whose probabilities cannot be averaged.
    """
    first, *others = (bundle.info.survey for bundle in bundles)
    if any(other != first for other in others):
        raise ConfigError(
            "these models were adapted with different settings of the survey",
            expected="models adapted to the same survey",
            fix="predict with one of them",
        )
    return first


def present(image: NDArray[np.uint8], settings: SurveySettings | None) -> NDArray[np.uint8]:
    """Resample a grey section for the network.

    Args:
        image: `uint8 (samples, traces)`.
        settings: the factors; None for none.

    Returns:
        `uint8`, of the scaled height and width.
    """
    if settings is None:
        return image
    height = max(1, round(image.shape[0] * settings.vertical))
    width = max(1, round(image.shape[1] * settings.horizontal))
    if (height, width) == image.shape:
        return image
    # Lanczos, with a wider kernel where the section shrinks, against aliasing
    seen = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(seen)


def restore(probability: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample probabilities `float32 (H, W)` back to a section of `shape`."""
    if probability.shape == shape:
        return probability
    size = (shape[1], shape[0])
    back = Image.fromarray(probability).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(back, np.float32).clip(0, 1)
