import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from diapir.bundle import Bundle
from diapir.errors import BundleError
from diapir.inference import Engine, EngineOptions
from diapir.inference.engines.engine import salt_probability
from diapir.inference.engines.onnx_engine import OnnxEngine
from diapir.inference.engines.torch_engine import TorchEngine
from tests.helpers.exports import exported
from tests.inference.conftest import SIZE
from tests.inference.engines.engine_contract import EngineContract


class TestOnnxEngine(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        return OnnxEngine(exported(bundle, "onnx").network)


class TestOnnxEngineAsItStands(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        return OnnxEngine(exported(bundle, "onnx").network, optimised=False)


def test_a_network_as_it_stands_gives_the_same_probabilities(bundle: Bundle) -> None:
    network = exported(bundle, "onnx").network
    batch = np.random.default_rng(0).normal(size=(2, 3, SIZE, SIZE)).astype(np.float32)
    plain = OnnxEngine(network, optimised=False)
    for engine in (plain, plain.lane(2)):
        np.testing.assert_allclose(
            salt_probability(np.moveaxis(engine.logits(batch), 1, 0)),
            salt_probability(np.moveaxis(OnnxEngine(network).logits(batch), 1, 0)),
            atol=1e-5,
        )


def test_threads_are_set(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    network = exported(bundle, "onnx").network
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert OnnxEngine(network).threads == 3
    assert OnnxEngine(network, threads=2).threads == 2


def test_other_sizes_than_the_models_own(bundle: Bundle) -> None:
    batch = np.random.default_rng(0).normal(size=(2, 3, SIZE, 2 * SIZE)).astype(np.float32)
    found = OnnxEngine(exported(bundle, "onnx").network).logits(batch)
    expected = TorchEngine(bundle, device="cpu").logits(batch)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def _identity(path: Path, shape: list[int | str], kind: int = TensorProto.FLOAT) -> Path:
    """A network that gives back what it takes."""
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in ("images", "logits")]
    node = helper.make_node("Identity", ["images"], ["logits"])
    graph = helper.make_graph([node], "network", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=opset), path)
    return path


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (["tiles", 3, 32, 32], TensorProto.FLOAT),
        (["tiles", 2, 32, 32], TensorProto.FLOAT),
        (["tiles", 3, 32], TensorProto.FLOAT),
        (["tiles", 3, 32, 32], TensorProto.FLOAT16),
    ],
)
def test_a_network_of_another_kind_is_refused(
    tmp_path: Path, shape: list[int | str], kind: int
) -> None:
    with pytest.raises(BundleError, match=r"(images|logits) is tensor\(") as caught:
        OnnxEngine(_identity(tmp_path / "model.onnx", shape, kind))
    assert "export the model again" in caught.value.fix


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match=r"model\.onnx cannot be used"):
        OnnxEngine(tmp_path / "model.onnx")


def test_it_predicts_where_torch_cannot_be_imported(bundle: Bundle, tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules.update(dict.fromkeys(["torch", "torchvision", "timm", "onnx", "openvino"]))
import numpy as np
from diapir import Predictor
image = np.arange(60 * 50, dtype=np.uint8).reshape(60, 50)
np.save({str(tmp_path / "found.npy")!r}, Predictor.load({str(exported(bundle, "onnx").path)!r})
    .probabilities([image])[0])
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    found = np.load(tmp_path / "found.npy")
    from diapir.inference import Predictor

    image = np.arange(60 * 50, dtype=np.uint8).reshape(60, 50)
    (expected,) = Predictor(bundle, EngineOptions(device="cpu")).probabilities([image])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def _network(path: Path, node: onnx.NodeProto, tensor: onnx.TensorProto) -> Path:
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])
        for name, channels in (("images", 3), ("logits", 2))
    ]
    graph = helper.make_graph([node], "network", ends[:1], ends[1:], [tensor])
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=opset), path)
    return path


def test_a_network_that_fails_when_it_is_run_is_refused(tmp_path: Path) -> None:
    shape = onnx.numpy_helper.from_array(np.array([1, 2, 5, 5]), "shape")
    node = helper.make_node("Reshape", ["images", "shape"], ["logits"])
    engine = OnnxEngine(_network(tmp_path / "model.onnx", node, shape))
    with pytest.raises(BundleError, match="cannot be used"):
        engine.logits(np.zeros((2, 3, 32, 32), np.float32))


def test_a_network_with_logits_of_another_size_is_refused(tmp_path: Path) -> None:
    kernel = onnx.numpy_helper.from_array(np.zeros((2, 3, 3, 3), np.float32), "kernel")
    node = helper.make_node("Conv", ["images", "kernel"], ["logits"])
    engine = OnnxEngine(_network(tmp_path / "model.onnx", node, kernel))
    with pytest.raises(BundleError, match=r"\(1, 2, 30, 30\) of a batch \(1, 3, 32, 32\)"):
        engine.logits(np.zeros((1, 3, 32, 32), np.float32))
