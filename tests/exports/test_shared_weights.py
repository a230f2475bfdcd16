"""Bundles whose ONNX file reads its large tensors from the trainable weights."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper

from diapir import bundle as bundles
from diapir.bundle import CARD, INFO, WEIGHTS, Bundle, Form, weights_file
from diapir.errors import BundleError, ExportError
from diapir.exports import export_bundle, graph, parity, shared_weights
from diapir.inference import EngineOptions, Predictor
from diapir.inference.engines.engine_options import EngineChoice
from diapir.models.trained import load_trained
from tests.helpers.exports import exported, images

LEAST = 1000
"""Values of a large tensor here."""


@pytest.fixture(scope="module", autouse=True)
def small_is_large() -> Iterator[None]:
    """The small network has large tensors, and few pixels to hold a share of 0.005 % to."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (weights_file, graph, shared_weights):
            patch.setattr(module, "LARGE", LEAST)
        patch.setattr(parity, "MAX_FLIPPED", 0.01)
        yield


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "half"])
def made(
    source: Bundle, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Bundle:
    """A trainable export; tracing a network takes seconds."""
    out = tmp_path_factory.mktemp("trainable") / "both"
    return _trainable(source, out, half=request.param, name="mine")


def _trainable(source: Bundle, out: Path, form: Form = "onnx", **options: Any) -> Bundle:
    given = {"images": images(), "data": "noise", "trainable": True} | options
    return bundles.load(export_bundle(source, form, out, **given).path)


def _large(tensors: dict[str, np.ndarray]) -> set[str]:
    return {name for name, value in tensors.items() if value.size >= LEAST}


def test_large_tensors_are_stored_once(source: Bundle, made: Bundle) -> None:
    assert sorted(path.name for path in made.path.iterdir()) == [INFO, CARD, "model.onnx", WEIGHTS]
    assert (made.info.name, made.info.weights_sha256) == ("mine", source.info.weights_sha256)
    assert made.info.weights is not None
    model = onnx.load(made.network, load_external_data=False)
    held = [tensor for tensor in model.graph.initializer if tensor.dims]
    shared = [tensor for tensor in held if external_data_helper.uses_external_data(tensor)]
    names = {tensor.name.removeprefix("network.").removesuffix(".shared") for tensor in shared}
    assert names == {name for name, value in source.tensors().items() if value.size >= LEAST}
    kind = TensorProto.FLOAT16 if made.info.weights.half else TensorProto.FLOAT
    assert {tensor.data_type for tensor in shared} == {kind}
    own = sum(np.prod(tensor.dims) for tensor in held if tensor not in shared)
    assert own < 0.2 * sum(value.size for value in source.tensors().values())
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)


@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_it_predicts_what_the_model_predicts(
    source: Bundle, made: Bundle, engine: EngineChoice
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    expected = Predictor(source, EngineOptions(device="cpu")).probabilities(images())
    found = Predictor(made, EngineOptions(engine=engine)).probabilities(images())
    assert made.info.weights is not None
    np.testing.assert_allclose(found, expected, atol=1e-2 if made.info.weights.half else 1e-5)


def test_all_weights_are_there_to_train_on(source: Bundle, made: Bundle) -> None:
    expected = source.tensors()
    found = load_trained(made).network.state_dict()
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-3, atol=1e-6)


def test_it_can_be_exported_again(made: Bundle, tmp_path: Path) -> None:
    alone = export_bundle(made, "onnx", tmp_path / "alone", images=images(), data="noise")
    assert not alone.info.trainable
    assert sorted(path.name for path in alone.path.iterdir()) == [INFO, CARD, "model.onnx"]
    found, expected = (Predictor(one).probabilities(images()) for one in (alone, made))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_openvino_has_its_own_copy_and_the_weights_stay(made: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    again = _trainable(made, tmp_path / "both", "openvino")
    assert again.info.form == "openvino"
    assert again.info.weights is not None
    assert made.info.weights is not None
    assert again.info.weights.half == made.info.weights.half
    for name, value in made.tensors().items():
        np.testing.assert_array_equal(again.tensors()[name], value)
    found, expected = (Predictor(one).probabilities(images()) for one in (again, made))
    # as float16, its kernels are rounded after the batch norms were folded into them
    np.testing.assert_allclose(found, expected, atol=1e-2 if again.info.weights.half else 1e-5)


def test_a_mean_and_an_export_without_weights_are_refused(source: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no weights of its own"):
        _trainable(source, tmp_path / "both", further=[source])
    with pytest.raises(BundleError, match="cannot run or train"):
        _trainable(exported(source, "onnx"), tmp_path / "both")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channel", [0, 1])
def test_factors_belong_to_the_channels_of_an_axis(channel: int) -> None:
    noise = np.random.default_rng(3)
    original = noise.normal(size=(5, 4, 3, 3)).astype(np.float32)
    shape = [1, 1, 1, 1]
    shape[channel] = original.shape[channel]
    factors = noise.uniform(0.1, 9, shape).astype(np.float32)
    original[1, 1] = 0
    found = shared_weights._factors(original * factors, original)
    assert found is not None
    np.testing.assert_allclose(found, factors, rtol=1e-6)
    assert (shared_weights._factors(original, original) == 1).all()
    assert shared_weights._factors(noise.normal(size=original.shape), original) is None
    assert shared_weights._factors(original[:4].transpose(1, 0, 2, 3), original) is None


def test_a_tensor_lies_where_the_file_says(tmp_path: Path) -> None:
    tensors = {"a": np.arange(LEAST, dtype=np.float32), "count": np.array(3)}
    path = tmp_path / WEIGHTS
    bundles.write_weights(path, tensors, half=True)
    (place,) = shared_weights._places(path).values()
    content = path.read_bytes()[place.offset : place.offset + place.length]
    np.testing.assert_array_equal(np.frombuffer(content, np.float16), tensors["a"])
    assert json.loads(path.read_bytes()[8 : 8 + path.read_bytes()[0]])["a"]["dtype"] == "F16"
