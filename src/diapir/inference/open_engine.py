"""Opening a bundle's network in the engine that runs it."""

from __future__ import annotations

from pathlib import Path

from diapir.bundle import Bundle
from diapir.errors import BundleError, DeviceError, MissingDependencyError
from diapir.inference.engine import Engine
from diapir.inference.engine_options import EngineChoice, EngineOptions

RUN_BY: dict[str, tuple[EngineChoice, ...]] = {
    "weights": ("torch",),
    "onnx": ("onnx", "openvino"),
    "openvino": ("openvino",),
}
"""Engines that can run each form of a network; `auto` takes the first. PyTorch can run the weights
beside an exported network as well."""


def open_engine(bundle: Bundle, options: EngineOptions = EngineOptions()) -> Engine:
    """Load a bundle's network into an engine.

    Args:
        bundle: the model.
        options: engine, device and threads. The engine `auto` is PyTorch for weights, ONNX Runtime
            for ONNX and OpenVINO for OpenVINO files; OpenVINO can also run an ONNX file. Only
            PyTorch runs on another device than the CPU, and for such a device `auto` is PyTorch
            where the bundle has weights.

    Raises:
        BundleError: the engine cannot run what the bundle holds, or the network does not fit.
        DeviceError: the device is not available.
        MissingDependencyError: the engine's library is not installed.
    """
    engine = _choose(bundle, options)
    if engine != "torch" and options.device not in {"auto", "cpu"}:
        raise DeviceError(
            f"device {options.device!r} was requested, but the engine {engine!r} runs on the CPU",
            expected="auto or cpu for an exported model",
            fix="leave --device out, or give the run that the model was exported from",
        )
    if engine != "torch":
        return open_network(engine, bundle.network, threads=options.threads)
    try:
        from diapir.inference.torch_engine import TorchEngine
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "train") from None
    return TorchEngine(bundle, device=options.device, threads=options.threads)


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


def _choose(bundle: Bundle, options: EngineOptions) -> EngineChoice:
    """The engine to use, which must be one that runs what the bundle holds."""
    able, engine = RUN_BY[bundle.info.form], options.engine
    if bundle.info.trainable and "torch" not in able:
        able = (*able, "torch")
    if engine == "auto":
        elsewhere = options.device not in {"auto", "cpu"}
        return "torch" if elsewhere and "torch" in able else able[0]
    if engine in able:
        return engine
    source = (
        "the run that the model was exported from"
        if engine == "torch"
        else f"what `diapir export {bundle.path} --to {engine} --out DIR` writes"
    )
    raise BundleError(
        f"the engine {engine!r} cannot run {bundle.network.name} of {bundle.path}",
        expected=f"--engine {' or '.join(able)} for this model",
        fix=f"leave --engine out, or give {source}",
    )
