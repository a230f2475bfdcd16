"""The engine for PyTorch: runs a bundle's weights on CPU, CUDA or MPS."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diapir import models, preprocess
from diapir.bundle import Bundle
from diapir.inference.engines.gpu_graphs import GpuGraphs
from diapir.models.device_choice import choose_device, computes_bfloat16, enough_memory
from diapir.models.trained import load_trained

LANES = 3
"""Batches at a time on a GPU: it computes one while others are prepared and brought back."""
BATCH = 192
"""Images of all these together: with fewer, a GPU waits for the CPU."""
_LESS = "give a smaller --batch, or --device cpu"
"""What needs less memory of a GPU."""


class TorchEngine:
    """A network in PyTorch, in evaluation mode, in float32.

    Args:
        bundle: the model; its architecture is resolved in `diapir.models` only.
        device: `cpu`, `mps`, or for `GpuEngine` `cuda` or `cuda:N`.
        threads: CPU threads of this process; None for PyTorch's own choice.
        module: the network of a model that was trained with one of somebody else's.

    Raises:
        BundleError: the weights' names or shapes do not fit the architecture.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str,
        threads: int | None = None,
        module: nn.Module | None = None,
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = torch.device(device)
        self._network = load_network(bundle, module).to(self._device)
        self.name = f"torch on {self._device}"
        self.threads = torch.get_num_threads()

    @torch.inference_mode()
    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of background and salt: `float32 (N, 3, H, W)` → `float32 (N, 2, H, W)`."""
        logits = self._forward(torch.from_numpy(batch).to(self._device))
        result: NDArray[np.float32] = logits.float().cpu().contiguous().numpy()
        return result

    def _forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self._network(images)
        return logits


class GpuEngine(TorchEngine):
    """A network on a CUDA GPU, in bfloat16 where that is supported, with `(N, H, W, C)` in memory.

    Args:
        bundle, device, threads, module: as for `TorchEngine`.
    """

    batch = BATCH
    lanes = LANES
    even = True  # see `GpuGraphs`

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "cuda",
        threads: int | None = None,
        module: nn.Module | None = None,
    ) -> None:
        with enough_memory(_LESS):
            super().__init__(bundle, device=device, threads=threads, module=module)
        self._bfloat16 = computes_bfloat16(self._device)
        self._network.to(memory_format=torch.channels_last)
        table = preprocess.normalisation(bundle.info.preprocess)
        self._table = torch.from_numpy(table).to(self._device)
        self._graphs = GpuGraphs(self._probabilities, self._device)

    def lane(self, threads: int) -> GpuEngine:
        """This engine, which several threads may call at the same time; see `Shared`."""
        return self

    def probabilities(self, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Grey images of the input's size `uint8 (N, H, W)` → probability of salt `(N, H, W)`.

        Raises:
            DeviceError: the GPU has too little memory.
        """
        with enough_memory(_LESS):
            return self._graphs.run(grey)

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits, as of a CPU.

        Raises:
            DeviceError: the GPU has too little memory.
        """
        with enough_memory(_LESS):
            return super().logits(batch)

    def _probabilities(self, grey: Tensor) -> Tensor:
        # (N, H, W, 3) in memory is what convolutions take in channels_last
        logits = self._forward(self._table[grey.long()].permute(0, 3, 1, 2)).float()
        return torch.sigmoid(logits[:, 1] - logits[:, 0])

    def _forward(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        # without its cache, as a graph must not read weights that were cast before it
        with torch.autocast("cuda", torch.bfloat16, self._bfloat16, cache_enabled=False):
            return super()._forward(images)


def open_torch(
    bundle: Bundle,
    *,
    device: str = "auto",
    threads: int | None = None,
    module: nn.Module | None = None,
) -> TorchEngine:
    """The engine for a device: `auto` (CUDA, then MPS, then CPU), `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises:
        BundleError: the weights' names or shapes do not fit the architecture.
        DeviceError: the device is not available.
    """
    chosen = choose_device(device, option="--device ")
    kind = GpuEngine if chosen.startswith("cuda") else TorchEngine
    return kind(bundle, device=chosen, threads=threads, module=module)


def finds_gpu() -> bool:
    """Whether PyTorch finds a CUDA GPU."""
    return bool(torch.cuda.is_available())


def load_network(bundle: Bundle, module: nn.Module | None = None) -> models.Network:
    """The network of a bundle with its weights, in evaluation mode, on the CPU.

    Raises:
        BundleError: the weights' names or shapes do not fit the architecture.
    """
    return load_trained(bundle, module=module).network.eval()
