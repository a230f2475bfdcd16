"""Bundles whose ONNX file reads its large tensors from the trainable weights."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper

from diapir import bundle as bundles
from diapir.bundle import CARD, INFO, WEIGHTS, Bundle, weights_file
from diapir.errors import BundleError, ExportError
from diapir.export import export_bundle, graph, parity, shared_weights
from diapir.inference import EngineOptions, Predictor
from diapir.models.trained import load_trained
from tests.helpers.exports import exported, images

LEAST = 1000
"""Values of a large tensor here."""


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small network has large tensors, and few pixels to hold a share of 0.005 % to."""
    for module in (weights_file, graph, shared_weights):
        monkeypatch.setattr(module, "LARGE", LEAST)
    monkeypatch.setattr(parity, "MAX_FLIPPED", 0.01)


def _trainable(source: Bundle, out: Path, **options: object) -> Bundle:
    given = {"images": images(), "data": "noise", "trainable": True} | options
    form = given.pop("form", "onnx")
    return bundles.load(export_bundle(source, form, out, **given).path)


def _large(tensors: dict[str, np.ndarray]) -> set[str]:
    return {name for name, value in tensors.items() if value.size >= LEAST}


@pytest.mark.parametrize("half", [False, True])
def test_large_tensors_are_stored_once(source: Bundle, tmp_path: Path, half: bool) -> None:
    made = _trainable(source, tmp_path / "both", half=half, name="mine")
    assert sorted(path.name for path in made.path.iterdir()) == [INFO, CARD, "model.onnx", WEIGHTS]
    assert (made.info.name, made.info.weights_sha256) == ("mine", source.info.weights_sha256)
    assert made.info.weights is not None
    assert made.info.weights.half == half
    model = onnx.load(made.network, load_external_data=False)
    held = [tensor for tensor in model.graph.initializer if tensor.dims]
    shared = [tensor for tensor in held if external_data_helper.uses_external_data(tensor)]
    names = {tensor.name.removeprefix("network.").removesuffix(".shared") for tensor in shared}
    assert names == _large(source.tensors())
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    assert {tensor.data_type for tensor in shared} == {kind}
    own = sum(np.prod(tensor.dims) for tensor in held if tensor not in shared)
    assert own < 0.2 * sum(value.size for value in source.tensors().values())
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-5), (True, 1e-2)])
@pytest.mark.parametrize("engine", ["onnx", "openvino", "torch"])
def test_it_predicts_what_the_model_predicts(
    source: Bundle, tmp_path: Path, half: bool, tolerance: float, engine: str
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    made = _trainable(source, tmp_path / "both", half=half)
    expected = Predictor(source, EngineOptions(device="cpu")).probabilities(images())
    found = Predictor(made, EngineOptions(engine=engine)).probabilities(images())  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_all_weights_are_there_to_train_on(source: Bundle, tmp_path: Path) -> None:
    made = _trainable(source, tmp_path / "both")
    expected = source.tensors()
    for name, value in load_trained(made).network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), expected[name])


def test_it_can_be_exported_again(source: Bundle, tmp_path: Path) -> None:
    made = _trainable(source, tmp_path / "both", half=True)
    alone = export_bundle(made, "onnx", tmp_path / "alone", images=images(), data="noise")
    assert not alone.info.trainable
    assert sorted(path.name for path in alone.path.iterdir()) == [INFO, CARD, "model.onnx"]
    again = _trainable(made, tmp_path / "again")
    assert again.info.weights is not None
    assert again.info.weights.half
    for name, value in made.tensors().items():
        np.testing.assert_array_equal(again.tensors()[name], value)
    found = [Predictor(one).probabilities(images()) for one in (made, alone, again)]
    np.testing.assert_allclose(found[1:], [found[0]] * 2, atol=1e-5)


def test_openvino_has_its_own_copy(source: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    made = _trainable(source, tmp_path / "both", form="openvino")
    assert made.info.form == "openvino"
    assert (made.path / WEIGHTS).is_file()
    load_trained(made)
    again = _trainable(made, tmp_path / "onnx")  # from its weights
    assert again.info.form == "onnx"


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
