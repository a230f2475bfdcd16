"""Engines: what runs a bundle's network. Each is a file of its own, the only door to its library.

A new engine is a class that fulfils `Engine`, a case in `open_engine`, and a subclass of the tests'
`EngineContract`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.bundle import Bundle
from diapir.errors import MissingDependencyError


class Engine(Protocol):
    """A loaded network.

    Attributes:
        name: which engine computes where, for people: `torch on cpu`.
        threads: CPU threads of one call.
    """

    name: str
    threads: int

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network.

        Args:
            batch: `float32 (N, 3, H, W)` as `preprocess.to_input` makes it, N ≥ 1, H and W the
                bundle's `preprocess.size`; left as it is.

        Returns:
            Logits of background and salt, `float32 (N, 2, H, W)`. A tile's logits do not depend on
            the other tiles of its batch, beyond rounding.
        """
        ...


def open_engine(bundle: Bundle, *, device: str = "auto", threads: int | None = None) -> Engine:
    """Load a bundle's network into the engine that fits it.

    Args:
        bundle: the model.
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: CPU threads of one call; None leaves the library's own choice.

    Raises:
        BundleError: weights that do not fit the architecture.
        DeviceError: a device that is not there.
        MissingDependencyError: the engine's library is not installed.
    """
    try:
        from diapir.inference.torch_engine import TorchEngine
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "train") from None
    return TorchEngine(bundle, device=device, threads=threads)
