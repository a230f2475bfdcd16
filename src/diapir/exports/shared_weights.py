"""One file of weights for training and inference: an ONNX graph that reads it as external data.

An export folds each batch norm into the convolution before it, which multiplies the kernel of every
output channel by a factor. The graph therefore reads the unfolded kernel from the weights file and
multiplies it by the factors. ONNX Runtime and OpenVINO do so once, when they load the network, and
then run the same graph as without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from diapir.bundle.weights_file import LARGE
from diapir.json_text import parse_json

PREFIX = "network."
"""Before the name of each tensor in the graphs that `graph.trace` writes."""
_KINDS = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
_TOLERANCE = 1e-6
"""Largest difference from a kernel times its factors, relative to the kernel's largest value."""


def share_weights(network: Path, weights: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Let an ONNX file read its large tensors from a weights file in the same folder.

    Tensors that are not those of the weights times a factor per channel, such as transposed ones,
    stay in the ONNX file.

    Args:
        network: the ONNX file of `graph.trace`; it is replaced.
        weights: the safetensors file of the same network.
        tensors: what was written to that file, before any of it was rounded to float16.
    """
    model = onnx.load(network)
    graph, places = model.graph, _places(weights)
    nodes: list[onnx.NodeProto] = []
    for tensor in list(graph.initializer):
        result, original = tensor.name, tensor.name.removeprefix(PREFIX)
        if original not in tensors or tensors[original].size < LARGE:
            continue
        factors = _factors(numpy_helper.to_array(tensor), tensors[original])
        if factors is None:
            continue
        place, shared = places[original], f"{result}.shared"
        tensor.CopyFrom(_external(shared, tensor.dims, weights.name, place))
        steps: list[tuple[str, list[str], dict[str, Any]]] = []
        if place.kind != TensorProto.FLOAT:
            steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
        if (factors != 1).any():
            graph.initializer.append(numpy_helper.from_array(factors, f"{result}.factors"))
            steps.append(("Mul", [f"{result}.factors"], {}))
        nodes += _chain(shared, result, steps or [("Identity", [], {})])
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, network)
    onnx.checker.check_model(network)


def _factors(kernel: NDArray[Any], original: NDArray[Any]) -> NDArray[np.float32] | None:
    """What the channels of the original are to be multiplied by, or None if that does not do.

    Returns:
        `float32`, of the kernel's rank and with one value per channel of its first or second axis
        (those of a transposed convolution); exactly 1 where nothing was folded.
    """
    if kernel.shape != original.shape or kernel.ndim < 2:
        return None
    exact, unfolded = kernel.astype(np.float64), original.astype(np.float64)
    tolerance = _TOLERANCE * np.abs(exact).max()
    for channel in (0, 1):
        others = tuple(axis for axis in range(exact.ndim) if axis != channel)
        power = (unfolded**2).sum(others, keepdims=True)
        product = (exact * unfolded).sum(others, keepdims=True)
        factors: NDArray[np.float64] = product / np.where(power == 0, 1, power)
        if np.array_equal(kernel, original):
            return np.ones_like(factors, np.float32)
        if np.abs(factors * unfolded - exact).max() <= tolerance:
            return factors.astype(np.float32)
    return None


class _Place(NamedTuple):
    """Where a file holds a tensor: ONNX's number of its type, offset and length in bytes."""

    kind: int
    offset: int
    length: int


def _places(weights: Path) -> dict[str, _Place]:
    """The place of each floating tensor in a safetensors file."""
    with weights.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = parse_json(stream.read(size))
    return {
        name: _Place(_KINDS[one["dtype"]], 8 + size + begin, end - begin)
        for name, one in header.items()
        if one.get("dtype") in _KINDS
        for begin, end in (one["data_offsets"],)
    }


def _external(name: str, shape: Sequence[int], file: str, place: _Place) -> onnx.TensorProto:
    """A tensor whose values lie in a file beside the ONNX file."""
    tensor = TensorProto(
        name=name, data_type=place.kind, dims=shape, data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", file), ("offset", place.offset), ("length", place.length)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    return tensor


def _chain(
    before: str, after: str, steps: list[tuple[str, list[str], dict[str, Any]]]
) -> Iterator[onnx.NodeProto]:
    """Nodes one after the other: operator, further inputs, attributes."""
    for number, (kind, further, attributes) in enumerate(steps, 1):
        output = after if number == len(steps) else f"{before}.{number}"
        yield helper.make_node(kind, [before, *further], [output], **attributes)
        before = output
