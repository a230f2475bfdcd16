from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxscript import ir
from timm.layers import Conv2dSame
from torch import Tensor, nn

from diapir.bundle import Bundle
from diapir.exports import graph
from tests.helpers.exports import exported

NOISE = np.random.default_rng(2)


def _noise(*shape: int) -> NDArray[np.float32]:
    return NOISE.normal(size=shape).astype(np.float32)


def _run(model: onnx.ModelProto, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    found: list[NDArray[np.float32]] = session.run(None, {"images": image})
    return found


def _model(
    nodes: list[onnx.NodeProto], weights: dict[str, NDArray[Any]], outputs: list[str]
) -> onnx.ModelProto:
    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * 4)

    made = helper.make_graph(
        nodes,
        "network",
        [value("images")],
        [value(name) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    return helper.make_model(made, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])


NORM = {
    "scale": _noise(4),
    "shift": _noise(4),
    "mean": _noise(4),
    "variance": np.abs(_noise(4)) + np.float32(0.1),
}


def _normed(kind: str, *, bias: bool) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
    weights = dict(NORM)
    weights["kernel"] = _noise(*((4, 3) if kind == "Conv" else (3, 4)), 3, 3)
    if bias:
        weights["bias"] = _noise(4)
    nodes = [
        helper.make_node(kind, ["images", "kernel", *(["bias"] if bias else [])], ["features"]),
        helper.make_node("BatchNormalization", ["features", *NORM], ["normed"], epsilon=1e-3),
    ]
    return nodes, weights


def _folded(model: onnx.ModelProto) -> onnx.ModelProto:
    held = ir.from_proto(model)
    graph.fold_batch_norms(held)
    return ir.to_proto(held)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_batch_norm_is_folded_into_its_convolution(kind: str, bias: bool) -> None:
    nodes, weights = _normed(kind, bias=bias)
    model = _model([*nodes, helper.make_node("Relu", ["normed"], ["logits"])], weights, ["logits"])
    image = _noise(2, 3, 8, 8)
    expected = _run(model, image)
    folded = _folded(model)
    assert [node.op_type for node in folded.graph.node] == [kind, "Relu"]
    np.testing.assert_allclose(_run(folded, image), expected, atol=1e-5)


def test_a_batch_norm_is_folded_though_the_size_is_used() -> None:
    nodes, weights = _normed("Conv", bias=True)
    nodes.insert(1, helper.make_node("Shape", ["features"], ["size"]))
    nodes += [
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("Add", ["normed", "zeros"], ["logits"]),
    ]
    model = _model(nodes, weights, ["logits"])
    image = _noise(2, 3, 8, 8)
    expected = _run(model, image)
    folded = _folded(model)
    kinds = [node.op_type for node in folded.graph.node]
    assert sorted(kinds) == ["Add", "ConstantOfShape", "Conv", "Shape"]
    np.testing.assert_allclose(_run(folded, image), expected, atol=1e-5)


def test_a_convolution_used_elsewhere_keeps_its_batch_norm() -> None:
    nodes, weights = _normed("Conv", bias=True)
    folded = _folded(_model(nodes, weights, ["normed", "features"]))
    assert [node.op_type for node in folded.graph.node] == ["Conv", "BatchNormalization"]


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (3, 1, 2)])
def test_padding_as_tensorflow_does_is_the_same_for_divisible_sizes(
    kernel: int, stride: int, dilation: int
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(Conv2dSame(3, 4, kernel, stride=stride, dilation=dilation))
    for size in (16, 24):
        image = torch.randn(1, 3, size, 2 * size)
        expected = network(image)
        fixed = nn.Sequential(network[0])
        graph._fix_same_padding(fixed)
        assert not any(isinstance(module, Conv2dSame) for module in fixed.modules())
        found: Tensor = fixed(image)
        torch.testing.assert_close(found, expected)


def test_a_file_holds_the_network_and_nothing_of_where_it_was_made(source: Bundle) -> None:
    path = exported(source, "onnx").network
    model = onnx.load(path)
    assert [value.name for value in model.graph.input] == ["images"]
    assert [value.name for value in model.graph.output] == ["logits"]
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    content = path.read_bytes()
    for trace in (b"stack_trace", b".py", b"site-packages", str(Path.home()).encode()):
        assert trace not in content


def test_half_keeps_small_tensors_and_what_the_network_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "LARGE", 50)
    weights = {"large": _noise(8, 3, 3, 3), "small": _noise(2, 8, 1, 1), "bias": _noise(8)}
    nodes = [
        helper.make_node("Conv", ["images", "large", "bias"], ["features"]),
        helper.make_node("Conv", ["features", "small"], ["logits"]),
    ]
    model = _model(nodes, weights, ["logits"])
    image = _noise(2, 3, 8, 8)
    (expected,) = _run(model, image)
    onnx.save(model, tmp_path / "model.onnx")
    graph.store_half(tmp_path / "model.onnx")
    half = onnx.load(tmp_path / "model.onnx")
    kinds = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert sorted(kinds.values()) == [TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.FLOAT16]
    assert {"small", "bias"} < kinds.keys()
    (found,) = _run(half, image)
    difference = np.abs(found - expected).max()
    assert 0 < difference < 0.01
