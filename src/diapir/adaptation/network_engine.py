"""Predicting with a network in training exactly as its saved bundle will."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diapir.bundle import Bundle, BundleInfo, SurveySettings
from diapir.inference import Predictor
from diapir.inference.sections.presentation import present, restore
from diapir.models import Network


class NetworkEngine:
    """An engine for a network that is already in memory.

    Args:
        network: on the CPU.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.name = "torch on cpu"
        self.threads = torch.get_num_threads()

    @torch.inference_mode()
    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        self._network.eval()
        images = torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)
        found: NDArray[np.float32] = self._network(images).float().contiguous().numpy()
        return found


def predict_sections(
    network: Network,
    info: BundleInfo,
    images: Sequence[NDArray[np.uint8]],
    settings: SurveySettings | None,
) -> list[NDArray[np.float32]]:
    """Probabilities of salt of grey sections, `float32 (samples, traces)` each.

    Args:
        network: on the CPU.
        info: description of the bundle it belongs to.
        images: `uint8 (samples, traces)`.
        settings: how sections are shown to the network; None for as they are.
    """
    predictor = Predictor(Bundle(Path(), info), engine=NetworkEngine(network))
    found = predictor.probabilities([present(image, settings) for image in images])
    return [restore(each, image.shape) for each, image in zip(found, images, strict=True)]
