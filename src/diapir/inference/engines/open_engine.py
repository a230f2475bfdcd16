"""Opening a bundle's network in the engine that runs it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import NamedTuple

from diapir.bundle import Bundle
from diapir.errors import BundleError, DeviceError, MissingDependencyError
from diapir.inference.engines.engine import Engine
from diapir.inference.engines.engine_options import EngineChoice, EngineOptions
from diapir.memory import return_freed

WORTH_CHOOSING = 2_500_000
"""Pixels from which the engine is chosen by measurement: about 250 tiles. Below, the engine that
starts fastest is done before another has started."""
WORTH_OPTIMISING = 32_000
"""Pixels from which ONNX Runtime optimises a network: more than three tiles. Below, they are done
before that would be."""
RUN_BY: dict[str, tuple[EngineChoice, ...]] = {
    "weights": ("torch",),
    "onnx": ("onnx", "openvino", "openvino-bf16"),
    "openvino": ("openvino", "openvino-bf16"),
}
"""Engines that can run each form of a network. `auto` takes the first for little work, and the
fastest for much. PyTorch can run the weights beside an exported network as well."""


class Opened(NamedTuple):
    """An engine with a network.

    Attributes:
        engine: the engine.
        choice: what opens the same again, on other machines too.
        note: why it was chosen, for people; empty where nothing was measured.
    """

    engine: Engine
    choice: EngineChoice
    note: str = ""


def open_engine(bundle: Bundle, options: EngineOptions = EngineOptions()) -> Engine:
    """Load a bundle's network into an engine, as `open_chosen` does."""
    return open_chosen(bundle, options).engine


def open_chosen(bundle: Bundle, options: EngineOptions = EngineOptions()) -> Opened:
    """Load a bundle's network into an engine.

    Args:
        bundle: the model.
        options: engine, device and threads. The engine `auto` is PyTorch for weights, ONNX Runtime
            for ONNX and OpenVINO for OpenVINO files; OpenVINO can also run an ONNX file. Where
            `options.pixels` are many, `auto` is the fastest of those that run an exported network,
            and PyTorch on a CUDA GPU is one of them where the bundle has weights. Only PyTorch
            runs on another device than the CPU, and for such a device `auto` is PyTorch where the
            bundle has weights.

    Raises:
        BundleError: the engine cannot run what the bundle holds, or the network does not fit.
        DeviceError: the device is not available.
        MissingDependencyError: the engine's library is not installed.
    """
    engine, note, opened = _choose(bundle, options)
    if engine != "torch" and options.device not in {"auto", "cpu"}:
        raise DeviceError(
            f"device {options.device!r} was requested, but the engine {engine!r} runs on the CPU",
            expected="auto or cpu for an exported model",
            fix="leave --device out, or give the run that the model was exported from",
        )
    if engine != "torch":
        few = options.pixels is not None and options.pixels < WORTH_OPTIMISING
        network = opened or open_network(
            engine,
            bundle.network,
            threads=options.threads,
            optimised=not few or _is_int8(bundle),
        )
        return Opened(network, engine, note)
    return Opened(opened or _in_torch(bundle, options.device, options.threads), engine, note)


def _in_torch(bundle: Bundle, device: str, threads: int | None) -> Engine:
    try:
        from diapir.inference.engines.torch_engine import open_torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "train") from None
    return open_torch(bundle, device=device, threads=threads)


def _is_int8(bundle: Bundle) -> bool:
    """Whether a network is one whose steps are 8-bit integers only where they are optimised."""
    return bundle.info.export is not None and bundle.info.export.int8


def open_network(
    form: str, network: Path, *, threads: int | None = None, optimised: bool = True
) -> Engine:
    """Load an exported network into an engine of its form: `onnx`, `openvino`, `openvino-bf16`.

    Args:
        form: one of these.
        network: its file.
        threads: CPU threads; None for the engine's own choice.
        optimised: False for a few images in ONNX Runtime, where it saves more time than it costs.

    Raises:
        BundleError: the file cannot be used.
        DeviceError: the CPU has no bfloat16.
        MissingDependencyError: the engine's library is not installed.
    """
    if form == "onnx":
        from diapir.inference.engines.onnx_engine import OnnxEngine

        return OnnxEngine(network, threads=threads, optimised=optimised)
    try:
        from diapir.inference.engines.openvino_engine import OpenvinoEngine
    except ModuleNotFoundError as error:
        if error.name != "openvino":
            raise
        raise MissingDependencyError("openvino", "openvino") from None
    return OpenvinoEngine(network, threads=threads, bf16=form == "openvino-bf16")


def _choose(bundle: Bundle, options: EngineOptions) -> tuple[EngineChoice, str, Engine | None]:
    """The engine to use, which must be one that runs what the bundle holds.

    Returns:
        The engine, a note, and the engine itself where it was opened to be measured.
    """
    able, engine = RUN_BY[bundle.info.form], options.engine
    if engine == "auto":
        elsewhere = options.device not in {"auto", "cpu"}
        if elsewhere and bundle.info.trainable:
            return "torch", "", None
        if bundle.info.export and not elsewhere and (options.pixels or 0) >= WORTH_CHOOSING:
            on_gpu = options.device == "auto" and bundle.info.trainable and has_gpu()
            return _fastest(bundle, (*able, "torch") if on_gpu else able, options.threads)
        return able[0], "", None
    if bundle.info.trainable and "torch" not in able:
        able = (*able, "torch")
    if engine in able:
        return engine, "", None
    form = engine.removesuffix("-bf16")
    source = (
        "the run that the model was exported from"
        if engine == "torch"
        else f"what `diapir export {bundle.path} --to {form} --out DIR` writes"
    )
    raise BundleError(
        f"the engine {engine!r} cannot run {bundle.network.name} of {bundle.path}",
        expected=f"--engine {' or '.join(able)} for this model",
        fix=f"leave --engine out, or give {source}",
    )


def has_gpu() -> bool:
    """Whether PyTorch finds a CUDA GPU; it is imported only where a driver is installed."""
    driver = any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
    if not (driver or which("nvidia-smi")) or find_spec("torch") is None:
        return False
    from diapir.inference.engines.torch_engine import finds_gpu

    return finds_gpu()


def _fastest(
    bundle: Bundle, able: tuple[EngineChoice, ...], threads: int | None
) -> tuple[EngineChoice, str, Engine | None]:
    from diapir.inference.engines.engine_choice import fastest

    opened: dict[EngineChoice, Engine] = {}

    def open_one(choice: EngineChoice) -> Engine:
        opened[choice] = (
            _in_torch(bundle, "cuda", threads)
            if choice == "torch"
            else open_network(choice, bundle.network, threads=threads)
        )
        return opened[choice]

    engine, note = fastest(bundle, able, open_one, threads)
    chosen = opened.pop(engine, None)
    if opened:  # a slower engine has the memory of a network, which glibc would keep
        opened.clear()
        return_freed()
    return engine, note, chosen
