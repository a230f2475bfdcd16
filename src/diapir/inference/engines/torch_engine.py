"""The engine for PyTorch: runs a bundle's weights on CPU, CUDA or MPS."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diapir import models
from diapir.bundle import Bundle
from diapir.inference.engines.engine import BATCH
from diapir.inference.engines.gpu_graphs import GpuGraphs
from diapir.models.device_choice import choose_device, computes_bfloat16
from diapir.models.trained import load_trained

_GPU_LANES = 3
"""Batches at a time on a GPU: it computes one while others are prepared and brought back."""
_GPU_BATCH = 192
"""Images of all these together: with fewer, a GPU waits for Python to launch its kernels."""


class TorchEngine:
    """A network in PyTorch, in evaluation mode.

    It runs in bfloat16 on GPUs that support it, with images laid out `(N, H, W, C)`, and in float32
    on CPU and MPS.

    Args:
        bundle: the model; its architecture is resolved in `diapir.models` only.
        device: `auto` (CUDA, then MPS, then CPU), `cpu`, `cuda`, `cuda:N` or `mps`.
        threads: CPU threads of this process; None for PyTorch's own choice.
        module: the network of a model that was trained with one of somebody else's.

    Raises:
        BundleError: the weights' names or shapes do not fit the architecture.
        DeviceError: the device is not available.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "auto",
        threads: int | None = None,
        module: nn.Module | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = torch.device(choose_device(device, option="--device "))
        on_cuda = self._device.type == "cuda"
        self._bfloat16 = computes_bfloat16(self._device)
        self._layout = torch.channels_last if on_cuda else torch.contiguous_format
        self.even = on_cuda  # see `GpuGraphs`
        self._network = load_network(bundle, module).to(self._device)
        self._network.to(memory_format=self._layout)
        self.name = f"torch on {self._device}"
        self.threads = torch.get_num_threads()
        self.lanes = _GPU_LANES if on_cuda else 1
        self.batch = _GPU_BATCH if on_cuda else BATCH
        self._graphs = GpuGraphs(self._forward, self._device) if on_cuda else None

    def lane(self, threads: int) -> TorchEngine:
        """This engine, which several threads may call at the same time; see `Shared`."""
        return self

    @torch.inference_mode()
    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        if self._graphs:
            return self._graphs.logits(batch)
        logits = self._forward(torch.from_numpy(batch).to(self._device))
        result: NDArray[np.float32] = logits.cpu().numpy()
        return result

    def _forward(self, images: Tensor) -> Tensor:
        """Logits `float32` of images, both on the device and contiguous."""
        images = images.contiguous(memory_format=self._layout)
        with torch.autocast(
            self._device.type,
            dtype=torch.bfloat16,
            enabled=self._bfloat16,
            cache_enabled=False,  # a graph must not read weights cast before it
        ):
            logits: Tensor = self._network(images)
        return logits.float().contiguous()


def finds_gpu() -> bool:
    """Whether PyTorch finds a CUDA GPU."""
    return bool(torch.cuda.is_available())


def load_network(bundle: Bundle, module: nn.Module | None = None) -> models.Network:
    """The network of a bundle with its weights, in evaluation mode, on the CPU.

    Raises:
        BundleError: the weights' names or shapes do not fit the architecture.
    """
    return load_trained(bundle, module=module).network.eval()
