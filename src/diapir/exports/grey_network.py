"""A network with its preprocessing: grey levels in, probabilities of salt out.

    grey (N, H, W)  →  pad, normalise, three planes  →  network  →  sigmoid, crop  →  (N, H, W)

The result is that of `Predictor` for images up to the size of the training tiles, without
test-time augmentation and before any threshold. Larger images run in one piece, not in windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from diapir import preprocess
from diapir.bundle import BundleInfo, Form
from diapir.errors import ConfigError, ExportError
from diapir.exports.graph import OUTPUT
from diapir.exports.metadata import HEIGHT, TILES, WIDTH
from diapir.exports.parity import MAX_FLIPPED, MAX_PROBABILITY
from diapir.inference.engines.engine import Engine, salt_probability

GreyType = Literal["uint8", "float32"]
"""Types of grey levels that such a network takes, 0 to 255 in both."""
GREY_NETWORK = "grey_to_probability"
"""Name of its file, without suffix."""

_KINDS = {"uint8": TensorProto.UINT8, "float32": TensorProto.FLOAT}
_PAD_MODES = {"zero": "constant", "reflect": "reflect", "edge": "edge"}
_OWN = "preprocessing."
"""What the names of the tensors begin with that are not the network's."""


class Compiled(Protocol):
    """A network that was loaded: grey levels `(N, H, W)` → probabilities `float32 (N, H, W)`."""

    def __call__(self, grey: NDArray[Any]) -> NDArray[np.float32]:
        """The probabilities of salt."""
        ...


def check_grey_type(kind: str) -> None:
    """Refuse a type of grey levels that no such network takes.

    Raises:
        ConfigError: it is neither uint8 nor float32.
    """
    if kind not in get_args(GreyType):
        raise ConfigError(
            f"--with-preprocessing {kind} is no type of grey levels",
            expected=" or ".join(get_args(GreyType)),
            fix="uint8 for images as they are stored, float32 for images of numbers 0 to 255",
        )


def write_grey_network(
    network: Path, path: Path, info: BundleInfo, kind: GreyType, *, any_size: bool
) -> None:
    """Write a network with its preprocessing as ONNX.

    Args:
        network: the ONNX file of the network alone.
        path: the new file, with all tensors in it.
        info: the model.
        kind: type of the grey levels.
        any_size: whether the network takes any multiple of its divisor.
    """
    model = onnx.load(network)  # with the tensors that it reads from other files
    graph = model.graph
    images, nodes, constants = graph.input[0].name, list(graph.node), _constants(info)
    before, shape = f"{_OWN}before", f"{_OWN}shape"
    del graph.node[:], graph.input[:], graph.output[:]
    graph.initializer.extend(
        numpy_helper.from_array(value, _OWN + name) for name, value in constants.items()
    )
    graph.node.extend(_padded(info, kind, images, any_size=any_size))
    graph.node.extend(nodes)
    graph.node.extend(_cropped(before, shape))
    layout = [TILES, HEIGHT, WIDTH]
    graph.input.append(helper.make_tensor_value_info("grey", _KINDS[kind], layout))
    graph.output.append(helper.make_tensor_value_info("probability", TensorProto.FLOAT, layout))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _constants(info: BundleInfo) -> dict[str, NDArray[Any]]:
    config = info.preprocess
    mean, std = (np.array(values, np.float64) for values in (config.mean, config.std))
    return {
        "channel": np.array([1], np.int64),
        "places": np.array([1, 2], np.int64),
        "zero": np.array(0, np.float32),
        "none": np.zeros(2, np.int64),
        "two": np.array(2, np.int64),
        "size": np.full(2, config.size, np.int64),
        "step": np.array(info.input_step, np.int64),
        "almost": np.array(info.input_step - 1, np.int64),
        "factor": (1 / (255 * std)).astype(np.float32).reshape(1, 3, 1, 1),
        "offset": (-mean / std).astype(np.float32).reshape(1, 3, 1, 1),
        "background": np.array(0, np.int64),
        "salt": np.array(1, np.int64),
    }


def _node(kind: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """A node; names that begin with a dot are those of this module."""
    names = [_OWN + name[1:] if name.startswith(".") else name for name in inputs.split()]
    output = _OWN + output[1:] if output.startswith(".") else output
    return helper.make_node(kind, names, [output], **attributes)


def _padded(
    info: BundleInfo, kind: GreyType, images: str, *, any_size: bool
) -> list[onnx.NodeProto]:
    """From grey levels to normalised images, as `preprocess.to_input` makes them."""
    first = [_node("Cast", "grey", ".numbers", to=TensorProto.FLOAT)]
    if kind == "float32":
        first = [_node("Identity", "grey", ".numbers")]
    room = [
        _node("Add", ".shape .almost", ".over"),
        _node("Div", ".over .step", ".steps"),
        _node("Mul", ".steps .step", ".least"),
        _node("Max", ".least .size", ".room"),
    ]
    if not any_size:  # larger images stay larger, and the network refuses them
        room = [_node("Max", ".shape .size", ".room")]
    return [
        *first,
        _node("Unsqueeze", ".numbers .channel", ".plane"),
        _node("Shape", "grey", ".shape", start=1),
        *room,
        _node("Sub", ".room .shape", ".missing"),
        _node("Div", ".missing .two", ".before"),
        _node("Sub", ".missing .before", ".after"),
        _node("Concat", ".none .before .none .after", ".pads", axis=0),
        _node("Pad", ".plane .pads .zero", ".padded", mode=_PAD_MODES[info.preprocess.pad]),
        _node("Mul", ".padded .factor", ".scaled"),
        _node("Add", ".scaled .offset", images),
        # a constant image holds no seismic data: `Predictor` gives it the probability 0
        _node("ReduceMax", ".numbers .places", ".brightest", keepdims=1),
        _node("ReduceMin", ".numbers .places", ".darkest", keepdims=1),
        _node("Greater", ".brightest .darkest", ".varied"),
        _node("Cast", ".varied", ".live", to=TensorProto.FLOAT),
    ]


def _cropped(before: str, shape: str) -> list[onnx.NodeProto]:
    """From logits to probabilities without the padding."""
    return [
        _node("Gather", f"{OUTPUT} .background", ".no", axis=1),
        _node("Gather", f"{OUTPUT} .salt", ".yes", axis=1),
        _node("Sub", ".yes .no", ".odds"),
        _node("Sigmoid", ".odds", ".whole"),
        _node("Add", f"{before} {shape}", ".end"),
        _node("Slice", f".whole {before} .end .places", ".cropped"),
        _node("Mul", ".cropped .live", "probability"),
    ]


def compile_grey_network(path: Path, form: Form) -> Compiled:
    """Load such a network as any other program would."""
    if form == "onnx":
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda grey: session.run(None, {"grey": grey})[0]
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", hints)
    return lambda grey: compiled(np.ascontiguousarray(grey))[0].copy()


def check_grey_network(
    compiled: Compiled,
    kind: GreyType,
    reference: Engine,
    images: Sequence[NDArray[np.uint8]],
    info: BundleInfo,
    *,
    half: bool,
) -> None:
    """Compare such a network with the original and the preprocessing of diapir, image by image.

    Args:
        compiled: the network with its preprocessing.
        kind: type of its grey levels.
        reference: runs the original network.
        images: grey tiles `uint8 (H, W)`; only the upper left window of larger ones is used.
        info: the model.
        half: whether the weights are stored as float16.

    Raises:
        ExportError: it cannot run them, or its results differ by more than the tolerance.
    """
    size, worst, flipped, pixels = info.window, 0.0, 0, 0
    for image in images:
        tile = image[:size, :size]
        inputs = preprocess.to_input(tile[None], info.preprocess)
        logits = preprocess.crop(reference.logits(inputs)[0], *tile.shape)
        expected = salt_probability(logits) * np.float32(np.ptp(tile) > 0)
        try:
            (found,) = compiled(tile[None].astype(kind))
        except Exception as error:  # the runtimes' errors have no common base class
            raise ExportError(
                f"the network with its preprocessing cannot run a tile of {tile.shape[0]} × "
                f"{tile.shape[1]} px: {' '.join(str(error).split())[:200]}",
                expected="a network that runs every tile",
                fix="leave --with-preprocessing out",
            ) from None
        worst = max(worst, float(np.abs(found - expected).max()))
        flipped += int(((found >= info.threshold) != (expected >= info.threshold)).sum())
        pixels += tile.size
    if not worst <= MAX_PROBABILITY[half] or flipped > MAX_FLIPPED * pixels:
        raise ExportError(
            f"the network with its preprocessing differs by up to {worst:.2g} in probability, and "
            f"{flipped} of {pixels} pixels change class; nothing was written",
            expected=f"a difference of at most {MAX_PROBABILITY[half]:g}, and {MAX_FLIPPED:.3%} "
            "of the pixels",
            fix="leave --with-preprocessing out",
        )
