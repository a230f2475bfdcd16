"""Engines: what runs a bundle's network. Each is a file of its own, the only door to its library.

A new engine is a class that fulfils `Engine`, a case in `open_engine`, and a subclass of the tests'
`EngineContract`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.bundle import Bundle
from diapir.errors import BundleError, DeviceError, MissingDependencyError

EngineName = Literal["auto", "onnx", "openvino", "torch"]

RUN_BY: dict[str, tuple[EngineName, ...]] = {
    "weights": ("torch",),
    "onnx": ("onnx", "openvino"),
    "openvino": ("openvino",),
}
"""Engines that can run each form of a network; the first is taken where none is named."""


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


def open_engine(
    bundle: Bundle,
    *,
    engine: EngineName = "auto",
    device: str = "auto",
    threads: int | None = None,
) -> Engine:
    """Load a bundle's network into an engine.

    Args:
        bundle: the model.
        engine: `auto` goes by what the bundle holds: PyTorch for weights, ONNX Runtime or OpenVINO
            for what was exported to them. OpenVINO can be asked for an ONNX file too.
        device: `auto`, `cpu`, `cuda` or `mps`; only PyTorch computes elsewhere than on the CPU.
        threads: CPU threads of one call; None leaves the engine's own choice.

    Raises:
        BundleError: the bundle holds nothing that this engine runs, or a network that does not fit.
        DeviceError: a device that is not there.
        MissingDependencyError: the engine's library is not installed.
    """
    able = RUN_BY[bundle.info.form]
    chosen = able[0] if engine == "auto" else engine
    if chosen not in able:
        raise BundleError(
            f"{bundle.path} holds {bundle.network.name}, which no engine {chosen!r} can run",
            expected=f"--engine {' or '.join(able)} for this model",
            fix="leave --engine out, or give "
            + (
                "the run that it was exported from"
                if chosen == "torch"
                else f"what `diapir export {bundle.path} --to {chosen} --out DIR` writes"
            ),
        )
    if chosen != "torch" and device not in {"auto", "cpu"}:
        raise DeviceError(
            f"device {device!r} was asked for, and the engine {chosen!r} computes on the CPU",
            expected="auto or cpu for an exported model",
            fix="leave --device out, or give the run that it was exported from",
        )
    if chosen != "torch":
        return open_network(chosen, bundle.network, threads=threads)
    try:
        from diapir.inference.torch_engine import TorchEngine
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "train") from None
    return TorchEngine(bundle, device=device, threads=threads)


def open_network(form: str, network: Path, *, threads: int | None = None) -> Engine:
    """Load an exported network into the engine of its form, `onnx` or `openvino`.

    Raises:
        BundleError: the file cannot be used.
        MissingDependencyError: the engine's library is not installed.
    """
    if form == "onnx":
        from diapir.inference.onnx_engine import OnnxEngine

        return OnnxEngine(network, threads=threads)
    try:
        from diapir.inference.openvino_engine import OpenvinoEngine
    except ModuleNotFoundError as error:
        if error.name != "openvino":
            raise
        raise MissingDependencyError("openvino", "openvino") from None
    return OpenvinoEngine(network, threads=threads)


def unusable(network: Path, form: str, reason: str) -> BundleError:
    """What is said of an exported network that is none.

    Args:
        network: its file.
        form: what it should have been exported to: `onnx` or `openvino`.
        reason: what is wrong with it.
    """
    return BundleError(
        f"{network} cannot be used: {reason}",
        expected="one float input (N, 3, H, W) and one float output (N, 2, H, W)",
        fix=f"export the model again: diapir export MODEL --to {form} --out DIR",
    )
