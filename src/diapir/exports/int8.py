"""Convolutions in 8-bit integers: a network with quantised weights and inputs of convolutions.

Weights are symmetric with a scale per output channel. Inputs have a range per tensor, measured on
tiles: the 99.99th percentile of the values, as the few largest would cost all others precision (as
in Wu et al., 2020, arXiv:2004.09602). Outputs stay in the arithmetic of the rest, and so do the
sums of residual blocks, which ONNX Runtime's own tool would round as well. The convolutions that
change results most, each alone, stay in float: in the bundled models a tenth of them, mostly the
first ones, makes nine tenths of the error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from diapir import preprocess
from diapir.bundle import BundleInfo
from diapir.errors import ExportError
from diapir.exports.graph import INPUT, OUTPUT
from diapir.inference.engines.engine import default_threads, salt_probability

CALIBRATION = 192
"""Maximum number of tiles that ranges are measured on."""
SHARE = 0.9999
"""Share of the values of a tensor that its range holds."""
REST, MOST_LEFT = 0.1, 0.25
"""Share of the error that convolutions in int8 may make up, each alone, of that of all; and the
share of convolutions that may stay in float for it."""
_BINS, _BATCH, _TRIED = 2048, 4, 16

_Range = tuple[float, float]


def store_int8(network: Path, images: Sequence[NDArray[np.uint8]], info: BundleInfo) -> None:
    """Quantise the convolutions of an ONNX file, in place.

    Args:
        network: an ONNX file whose convolutions are in float32.
        images: grey tiles `uint8 (H, W)` to measure ranges on; only the upper left window of larger
            ones is used.
        info: the model.

    Raises:
        ExportError: there is no convolution of float32.
    """
    model = _folded(network)
    weights = {one.name for one in model.graph.initializer}
    convolutions = [
        node for node in model.graph.node if node.op_type == "Conv" and node.input[1] in weights
    ]
    if not convolutions:
        raise ExportError(
            f"{info.name} has no convolution in float32",
            expected="a model that is not in int8 yet",
            fix="give the run or bundle it was exported from",
        )
    inputs = list(_inputs(images, info))
    ranges = _ranges(model, list(dict.fromkeys(node.input[0] for node in convolutions)), inputs)
    every = {node.output[0] for node in convolutions}
    few = np.concatenate(inputs[:: -(-len(inputs) // _TRIED)])
    expected = _probability(model, few)
    errors = {
        one: float(((_probability(_quantised(model, {one}, ranges), few) - expected) ** 2).mean())
        for one in every
    }
    onnx.save(_quantised(model, every - _left(errors), ranges), network)
    onnx.checker.check_model(network)


def _left(errors: Mapping[str, float]) -> set[str]:
    """The convolutions that stay in float: the worst, until the others make little of the error."""
    left: set[str] = set()
    rest = sum(errors.values())
    limit = REST * rest
    for name in sorted(errors, key=lambda one: errors[one], reverse=True):
        if rest <= limit or len(left) >= MOST_LEFT * len(errors):
            break
        left.add(name)
        rest -= errors[name]
    return left


def _quantised(
    model: onnx.ModelProto, chosen: set[str], ranges: Mapping[str, _Range]
) -> onnx.ModelProto:
    """A copy of a network with some convolutions, by the names of their outputs, in int8."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph, nodes = made.graph, []
    weights = {one.name: one for one in graph.initializer}
    quantised: dict[str, str] = {}
    for node in graph.node:
        if node.op_type == "Conv" and node.output[0] in chosen:
            source, kernel = node.input[:2]
            if source not in quantised:
                quantised[source] = f"{source}.rounded"
                nodes += _rounded(graph, source, ranges[source])
            if kernel not in quantised:
                quantised[kernel] = f"{kernel}.rounded"
                nodes.append(_kernel(graph, kernel, numpy_helper.to_array(weights[kernel])))
            node.input[0], node.input[1] = quantised[source], quantised[kernel]
        nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)
    return made


def _probability(model: onnx.ModelProto, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of salt of a few inputs."""
    session = _session(model.SerializeToString())
    return salt_probability(np.moveaxis(session.run([OUTPUT], {INPUT: inputs})[0], 1, 0))


def _session(network: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = default_threads()
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def _folded(network: Path) -> onnx.ModelProto:
    """The network with constants folded, so that every kernel is a tensor of float32."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    folded = network.with_name("folded.onnx")
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    model = onnx.load(folded)
    folded.unlink()
    return model


def _inputs(images: Sequence[NDArray[np.uint8]], info: BundleInfo) -> Iterator[NDArray[np.float32]]:
    for image in images[:: -(-len(images) // CALIBRATION)]:
        tile = image[: info.window, : info.window]
        yield preprocess.to_input(tile[None], info.preprocess)


def _ranges(
    model: onnx.ModelProto, names: Sequence[str], inputs: Sequence[NDArray[np.float32]]
) -> Mapping[str, _Range]:
    """Range of each tensor that holds nearly all its values, and 0."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    inner = [name for name in names if name != INPUT]
    shown.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inner
    )
    session = _session(shown.SerializeToString())

    def values() -> Iterator[tuple[str, NDArray[np.float32]]]:
        for start in range(0, len(inputs), _BATCH):
            batch = np.concatenate(inputs[start : start + _BATCH])
            yield INPUT, batch
            yield from zip(inner, session.run(inner, {INPUT: batch}), strict=True)

    low, high = dict.fromkeys([INPUT, *names], 0.0), dict.fromkeys([INPUT, *names], 1e-6)
    for name, found in values():
        low[name], high[name] = min(low[name], found.min()), max(high[name], found.max())
    counts = {name: np.zeros(_BINS) for name in low}
    for name, found in values():
        counts[name] += np.histogram(found, _BINS, (low[name], high[name]))[0]
    return {name: _middle(counts[name], low[name], high[name]) for name in names}


def _middle(counts: NDArray[np.float64], low: float, high: float) -> _Range:
    """The range of `SHARE` of the values; what is left out is shared by the sides that exist."""
    edges = np.linspace(low, high, len(counts) + 1)
    below = np.cumsum(counts) / counts.sum()
    outside = (1 - SHARE) / 2 if low < 0 else 1 - SHARE
    least = edges[int(np.searchsorted(below, outside))] if low < 0 else 0.0
    most = edges[min(int(np.searchsorted(below, 1 - outside)) + 1, len(counts))]
    return min(0.0, float(least)), max(0.0, float(most))


def _rounded(graph: Any, source: str, range_: _Range) -> list[onnx.NodeProto]:
    """Nodes that round a tensor to 256 steps of its range; 0 stays 0."""
    scale = np.float32((range_[1] - range_[0]) / 255)
    zero = np.uint8(np.clip(round(-range_[0] / float(scale)), 0, 255))
    names = [f"{source}.scale", f"{source}.zero"]
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value), name)
        for value, name in zip((scale, zero), names, strict=True)
    )
    return [
        helper.make_node("QuantizeLinear", [source, *names], [f"{source}.int8"]),
        helper.make_node("DequantizeLinear", [f"{source}.int8", *names], [f"{source}.rounded"]),
    ]


def _kernel(graph: Any, name: str, kernel: NDArray[np.float32]) -> onnx.NodeProto:
    """Replace a kernel by 8-bit integers with a scale per output channel."""
    largest = np.abs(kernel).max(axis=tuple(range(1, kernel.ndim)))
    scales = (np.maximum(largest, 1e-12) / 127).astype(np.float32)
    rounded = np.rint(kernel / scales.reshape(-1, *[1] * (kernel.ndim - 1)))
    names = [f"{name}.int8", f"{name}.scales", f"{name}.zeros"]
    values = rounded.astype(np.int8), scales, np.zeros(len(scales), np.int8)
    graph.initializer.extend(
        numpy_helper.from_array(value, one) for value, one in zip(values, names, strict=True)
    )
    return helper.make_node("DequantizeLinear", names, [f"{name}.rounded"], axis=0)
