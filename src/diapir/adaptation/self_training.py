"""Self-training: sections without labels are trained on with pseudo-labels.

A few labelled lines do not show all the salt of a survey. Its other sections are predicted by the
adapted network and by the original one at a finer scale; where the mean of both is confident, it
becomes a label. Two models that see different sizes of window make different errors (as in Lee,
Pseudo-Label, ICML workshop 2013, with an ensemble as teacher).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from diapir.adaptation.crops import Bytes, Crops
from diapir.adaptation.held_out_score import score
from diapir.adaptation.network_engine import predict_sections
from diapir.bundle import Bundle, BundleInfo, SurveySettings
from diapir.config import IGNORE
from diapir.models import Network
from diapir.models.trained import load_trained
from diapir.training.batches.labelled_sections import Matrix

MOST = 12
"""Sections without labels that are used, spread over the survey."""
SALT = 0.45
"""Mean probability from which a sample is pseudo-labelled salt."""
BACKGROUND = 0.2
"""Mean probability up to which it is background; between the two it stays without a label."""
LEAST_TEACHER = 0.3
"""Least Dice of the original model on the labels, seen at a finer scale, for pseudo-labels."""
_BEYOND = 0.2
"""What it must have beyond the Dice of calling everything salt."""
_FINER = (2.0, 1.5)
"""Scale of the original model's view, as a share of the adapted one's: vertical, horizontal."""
_PIXELS = 2_400_000
"""Pixels of the finer view of all sections; longer sections are cut to a stretch of traces."""


@dataclass(frozen=True, eq=False)
class Mixed:
    """Windows of labelled and of pseudo-labelled sections, half of each."""

    labelled: Crops
    pseudo: Crops

    def cut(self, size: int, matrices: Matrix, seed: Sequence[int]) -> tuple[Bytes, Bytes]:
        """Cut windows, as `Crops.cut` does."""
        half = (len(matrices) + 1) // 2
        parts = (
            self.labelled.cut(size, matrices[:half], seed),
            self.pseudo.cut(size, matrices[half:], (*seed, 11)),
        )
        images, masks = zip(*parts, strict=True)
        return np.concatenate(images), np.concatenate(masks)


def finer(settings: SurveySettings) -> SurveySettings:
    """The scale at which the original model sees sections."""
    return settings.model_copy(
        update={
            "vertical": settings.vertical * _FINER[0],
            "horizontal": settings.horizontal * _FINER[1],
        }
    )


def shortened(
    images: Sequence[Bytes], settings: SurveySettings, window: int, seed: int
) -> list[Bytes]:
    """Sections cut to stretches of traces at random places, so that predicting them is quick.

    Args:
        images: `uint8 (samples, traces)`.
        settings: how sections are shown to the adapted network.
        window: side of its windows in pixels, which a stretch is not narrower than.
        seed: of the places.
    """
    view = finer(settings)
    rng = np.random.default_rng([seed, 13])
    stretches = []
    for image in images:
        samples, traces = image.shape
        fitting = _PIXELS / len(images) / (samples * view.vertical) / view.horizontal
        width = min(traces, max(int(fitting), round(window / settings.horizontal)))
        start = int(rng.integers(traces - width + 1))
        stretches.append(np.ascontiguousarray(image[:, start : start + width]))
    return stretches


def pseudo_labels(
    network: Network,
    info: BundleInfo,
    original: Bundle,
    settings: SurveySettings,
    images: Sequence[Bytes],
) -> list[Bytes]:
    """Pseudo-labels of sections, `uint8` of {0, 1, 255}, the same shapes.

    Args:
        network: the adapted one.
        info: its description.
        original: the model it was adapted from.
        settings: how sections are shown to the adapted network.
        images: `uint8 (samples, traces)`.
    """
    adapted = predict_sections(network, info, images, settings)
    first = _predict_finer(original, info, settings, images)
    return [_confident((one + other) / 2) for one, other in zip(adapted, first, strict=True)]


def teaches(
    original: Bundle,
    info: BundleInfo,
    settings: SurveySettings,
    images: Sequence[Bytes],
    masks: Sequence[Bytes],
) -> tuple[bool, float]:
    """Whether the original model finds enough salt at the finer scale, and its Dice on the labels.

    Args:
        original: the model that is adapted.
        info: description of the adapted one.
        settings: how sections are shown to the adapted network.
        images: labelled sections, `uint8 (samples, traces)`.
        masks: their labels, `uint8` of {0, 1, 255}.
    """
    found = score(_predict_finer(original, info, settings, images), masks, SALT)
    everything = 2 * found.salt_share / (1 + found.salt_share)
    return found.dice >= max(LEAST_TEACHER, everything + _BEYOND), found.dice


def _predict_finer(
    original: Bundle, info: BundleInfo, settings: SurveySettings, images: Sequence[Bytes]
) -> list[NDArray[np.float32]]:
    seen = original.info.model_copy(update={"preprocess": info.preprocess, "tile": info.tile})
    return predict_sections(load_trained(original).network, seen, images, finer(settings))


def _confident(mean: NDArray[np.floating]) -> Bytes:
    labels = np.full(mean.shape, IGNORE, np.uint8)
    labels[mean <= BACKGROUND] = 0
    labels[mean >= SALT] = 1
    return labels


def saved_labels(labels: object, shape: tuple[int, ...]) -> Bytes:
    """Saved pseudo-labels, after checking that they are those of a section.

    Raises:
        ValueError: they are not.
    """
    if not isinstance(labels, torch.Tensor) or labels.dtype != torch.uint8:
        raise ValueError("pseudo-labels of another type")
    if tuple(labels.shape) != shape:
        raise ValueError(f"pseudo-labels of {tuple(labels.shape)} for a section of {shape}")
    found: Bytes = labels.numpy()
    return found
