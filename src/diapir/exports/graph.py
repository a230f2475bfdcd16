"""ONNX graphs of networks: traced, with folded batch norms and without metadata."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxscript import ir
from onnxscript.rewriter import RewriteRuleSet
from onnxscript.rewriter.rules.common import (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
)
from timm.layers import Conv2dSame
from torch import Tensor, nn

from diapir import models
from diapir.bundle import Bundle
from diapir.bundle.weights_file import LARGE
from diapir.inference.engines.torch_engine import load_network
from diapir.models import Network
from diapir.version import __version__

OPSET = 18
"""The oldest that PyTorch's exporter writes without conversion."""
IR_VERSION = 10
"""IR version of the file, supported by runtimes since 2024."""
INPUT, OUTPUT = "images", "logits"
_FOLDING = RewriteRuleSet([fuse_batchnorm_into_conv_rule, fuse_batchnorm_into_conv_transpose_rule])


def divisor(bundle: Bundle) -> int:
    """Number of pixels that height and width must be multiples of."""
    with torch.device("meta"):
        return models.build(bundle.info.model).divisor


def trace(bundle: Bundle, path: Path, *, any_size: bool) -> None:
    """Write the network of a bundle as ONNX: `images (N, 3, H, W)` → `logits (N, 2, H, W)`, any N.

    Args:
        bundle: a bundle with weights.
        path: the new file.
        any_size: whether H and W may be any multiples of the network's divisor, or only the
            bundle's `preprocess.size`. PyTorch does not guarantee it for every network, so compare
            the results at other sizes too.

    Raises:
        BundleError: the weights' names or shapes do not fit the architecture.
    """
    network = load_network(bundle)
    _fix_same_padding(network)
    step, size = network.divisor, bundle.info.preprocess.side
    axes: dict[int, Any] = {0: torch.export.Dim("tiles")}
    if any_size:
        axes |= {
            # torch.export would specialise sizes of one or two steps
            axis: step * torch.export.Dim(name, min=2)
            for axis, name in ((2, "rows"), (3, "columns"))
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings meant for PyTorch's own developers
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
    assert program is not None  # noqa: S101 - None only without dynamo
    fold_batch_norms(program.model)
    model: onnx.ModelProto = program.model_proto
    _strip(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


class _Logits(nn.Module):
    """A network without the checks of its images, which have no place in a graph."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.logits(images)


def _fix_same_padding(network: nn.Module) -> None:
    """Give convolutions with TensorFlow's SAME padding a constant padding.

    timm computes the padding from each image's size, which is slow to trace and to run. The size of
    every feature map is a multiple of the stride, because the image size is a multiple of the
    divisor, and for such sizes the padding is constant.
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


def copy_whole(network: Path, copy: Path) -> None:
    """Copy an ONNX file, with the tensors that it reads from other files in it."""
    onnx.save(onnx.load(network), copy)


def store_half(path: Path) -> None:
    """Store the weights of an ONNX file as float16, with casts to float32 in the graph.

    ONNX Runtime evaluates the casts once, when it loads the file. Tensors in other files stay as
    they are. Own code, because the converter of onnxconverter_common makes the arithmetic float16
    as well.
    """
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if (
            tensor.data_type == TensorProto.FLOAT
            and tensor.data_location != TensorProto.EXTERNAL
            and np.prod(tensor.dims) >= LARGE
        ):
            name, values = tensor.name, numpy_helper.to_array(tensor)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)
    onnx.checker.check_model(path)


def fold_batch_norms(model: ir.Model) -> None:
    """Fold batch norms into the convolutions before them, in place.

    PyTorch's exporter does so itself, except where a `Shape` node uses the convolution's output; it
    can use the batch norm's output instead, which has the same shape.
    """
    for node in model.graph:
        if node.op_type == "BatchNormalization":
            features, normed = node.inputs[0], node.outputs[0]
            assert features is not None  # noqa: S101 - the input is not optional
            for user, place in tuple(features.uses()):
                if user.op_type == "Shape":
                    user.replace_input_with(place, normed)
    model.graph.sort()
    _FOLDING.apply_to_model(model)


def _strip(model: onnx.ModelProto) -> None:
    """Remove metadata: source locations, unused weights and annotations of the tracer."""
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
