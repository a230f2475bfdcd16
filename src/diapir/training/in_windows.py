"""Tiles larger than the network's input during training: predicted as the saved model will."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diapir.bundle import Bundle, BundleInfo
from diapir.inference import Predictor
from diapir.training.device import Device

_TINY = 1e-7  # blended probabilities may be 0 or 1, whose logarithm is infinite


class DeviceEngine:
    """An engine for a network in training, on its device.

    Args:
        network: not wrapped for several processes.
        device: where it is.
    """

    def __init__(self, network: nn.Module, device: Device) -> None:
        self._network = network
        self._device = device
        self.name = f"torch on {device.torch_device.type}"
        self.threads = torch.get_num_threads()

    @torch.inference_mode()
    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        self._network.eval()
        found = self._network(self._device.images(torch.from_numpy(batch)))
        logits: NDArray[np.float32] = found.float().contiguous().cpu().numpy()
        return logits


def window_predictor(network: nn.Module, device: Device, shown: dict[str, Any]) -> Predictor:
    """A predictor that cuts tiles into the overlapping windows of the bundle to be saved.

    Args:
        network: in training.
        device: where it is.
        shown: how images become its input, see `save_bundle.shown_to_network`.
    """
    info = BundleInfo(**shown, weights_sha256="")
    return Predictor(Bundle(Path(), info), engine=DeviceEngine(network, device))


def as_logits(probability: NDArray[np.float32]) -> Tensor:
    """Logits `float32 (1, 2, H, W)` of blended probabilities of salt `(H, W)`."""
    salt = torch.from_numpy(probability).clamp(_TINY, 1 - _TINY)
    return torch.stack([torch.log1p(-salt), salt.log()])[None]
