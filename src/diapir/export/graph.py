"""From a bundle to an ONNX graph: traced, batch norms folded, nothing in it but the network."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from timm.layers import Conv2dSame
from torch import Tensor, nn

from diapir import models
from diapir.bundle import Bundle
from diapir.inference.torch_engine import load_network
from diapir.models import Network
from diapir.version import __version__

OPSET = 18
"""The oldest that PyTorch's exporter writes itself; older ones it converts to."""
IR_VERSION = 10
"""Of the file: what runtimes since 2024 read."""
LARGE = 2**14
"""Values from which a tensor is stored as float16. Smaller tensors (biases, depthwise and
first convolutions) are a few per cent of a network, and would make most of the difference."""
INPUT, OUTPUT = "images", "logits"


def divisor(bundle: Bundle) -> int:
    """Number of pixels that height and width must be multiples of."""
    with torch.device("meta"):
        return models.build(bundle.info.model).divisor


def trace(bundle: Bundle, path: Path, *, any_size: bool) -> None:
    """Write the network of a bundle as ONNX: `images (N, 3, H, W)` → `logits (N, 2, H, W)`, any N.

    Args:
        bundle: with the weights.
        path: of the new file.
        any_size: whether H and W may be any multiples of the network's divisor, which PyTorch
            cannot promise for every network: compare what comes out at other sizes too. Else they
            are the bundle's `preprocess.size`.

    Raises:
        BundleError: the weights' names or shapes do not fit the architecture.
    """
    network = load_network(bundle)
    _fix_same_padding(network)
    step, size = network.divisor, bundle.info.preprocess.size
    axes: dict[int, Any] = {0: torch.export.Dim("tiles")}
    if any_size:
        axes |= {
            # sizes of one or two steps would be taken for special cases
            axis: step * torch.export.Dim(name, min=2)
            for axis, name in ((2, "rows"), (3, "columns"))
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what PyTorch tells its own developers
        program = torch.onnx.export(
            _Logits(network).eval(),
            (torch.zeros(2, 3, max(size, 2 * step), max(size, 2 * step)),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={"images": axes},
            verbose=False,
        )
    assert program is not None  # noqa: S101 - it is None for another argument only
    model: onnx.ModelProto = program.model_proto
    _fold_batch_norms(model.graph)
    _strip(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


class _Logits(nn.Module):
    """A network without the checks of its images, which say nothing in a graph."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.logits(images)


def _fix_same_padding(network: nn.Module) -> None:
    """Let convolutions that pad as TensorFlow does pad by what a divisible size comes to.

    timm works the padding out of each image's size, and a graph that does so is slow to trace and
    to run. Every map of an image that the divisor divides is a multiple of the stride, and for
    those it is always the same.
    """
    for name, module in list(network.named_modules()):
        if not isinstance(module, Conv2dSame):
            continue
        down, across = (
            max((kernel - 1) * dilation + 1 - stride, 0)
            for kernel, dilation, stride in zip(
                module.kernel_size, module.dilation, module.stride, strict=True
            )
        )
        convolution = nn.Conv2d.__new__(nn.Conv2d)
        convolution.__dict__ = module.__dict__
        pads = (across // 2, across - across // 2, down // 2, down - down // 2)
        padded = nn.Sequential(nn.ZeroPad2d(pads), convolution)
        network.set_submodule(name, padded)


def store_half(path: Path) -> None:
    """Rewrite an ONNX file: weights stored as float16, which are made float32 when it is loaded.

    ONNX Runtime does so once, before the first image.
    """
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= LARGE:
            name, values = tensor.name, numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _fold_batch_norms(graph: onnx.GraphProto) -> None:
    """Let each convolution do what the batch norm behind it does.

    PyTorch's exporter leaves those behind.
    """
    values = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        convolution = makers.get(norm.input[0])
        if convolution is None or convolution.op_type not in {"Conv", "ConvTranspose"}:
            continue
        features, normed = convolution.output[0], norm.output[0]
        users = [node for node in graph.node if features in node.input]
        if any(node is not norm and node.op_type != "Shape" for node in users):
            continue
        if any(output.name == features for output in graph.output):
            continue
        if any(name not in values for name in [*norm.input[1:], *convolution.input[1:]]):
            continue
        scale, shift = _affine(norm, [numpy_helper.to_array(values[n]) for n in norm.input[1:]])
        transposed = convolution.op_type == "ConvTranspose"
        weight = values[convolution.input[1]]
        kernel = numpy_helper.to_array(weight).astype(np.float64)
        # Conv has its output channels first, ConvTranspose (of one group) second
        shape = (1, -1, 1, 1) if transposed else (-1, 1, 1, 1)
        kernel *= scale.reshape(shape)
        bias = np.zeros_like(shift)
        if len(convolution.input) > 2:
            bias = numpy_helper.to_array(values[convolution.input[2]]).astype(np.float64)
        names = [f"{weight.name}.folded", f"{weight.name}.folded_bias"]
        for name, folded in zip(names, (kernel, bias * scale + shift), strict=True):
            graph.initializer.append(numpy_helper.from_array(folded.astype(np.float32), name))
        del convolution.input[1:]
        convolution.input.extend(names)
        graph.node.remove(norm)
        convolution.output[0] = normed
        for node in users:
            if node is not norm:
                node.input[0] = normed  # of the same shape


def _affine(
    norm: onnx.NodeProto, parameters: list[NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factor and summand of each channel that a batch norm comes to."""
    weight, bias, mean, variance = (values.astype(np.float64) for values in parameters)
    epsilon = next((value.f for value in norm.attribute if value.name == "epsilon"), 1e-5)
    scale = weight / np.sqrt(variance + epsilon)
    return scale, bias - mean * scale


def _strip(model: onnx.ModelProto) -> None:
    """Take out what is no network: places in source files, unused weights, the tracer's notes."""
    graph = model.graph
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "diapir", __version__
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    del model.functions[:]
    graph.name = "network"
    model.doc_string = graph.doc_string = ""
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
