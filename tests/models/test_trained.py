from pathlib import Path

import numpy as np
import pytest
import torch

from diapir import bundle as bundles
from diapir.architectures import HaliteConfig
from diapir.bundle import WEIGHTS, Bundle
from diapir.config import PreprocessConfig
from diapir.errors import BundleError
from diapir.inference import EngineOptions, Predictor
from diapir.models.trained import load_trained, misfits, put_weights
from tests.helpers.tiny import small_bundle, small_network

SMALL = HaliteConfig(encoder="tf_efficientnet_lite0", weights="none", widths=(8, 8, 8, 8))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return small_bundle(tmp_path / "model")


def test_a_model_is_loaded_to_train_on(bundle: Bundle) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    found = load_trained(bundle.path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found.bundle == bundle
    assert found.initialised == ()
    assert found.network.training
    assert all(weights.requires_grad for weights in found.network.parameters())
    for name, value in found.network.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), bundle.tensors()[name])
    assert load_trained(bundle).bundle is bundle


@pytest.mark.parametrize("name", bundles.BUNDLED)
def test_a_bundled_model_can_be_trained_and_is_what_predicts(name: str) -> None:
    found = load_trained(name)
    assert found.bundle.info.name == name
    image = np.random.default_rng(0).integers(0, 256, (101, 101), dtype=np.uint8)
    onnx, pytorch = (
        Predictor(found.bundle, EngineOptions(engine=engine)).probabilities([image])[0]
        for engine in ("onnx", "torch")
    )
    np.testing.assert_allclose(pytorch, onnx, atol=1e-4)


def test_parts_that_only_training_uses_may_be_missing(tmp_path: Path) -> None:
    network = small_network(SMALL)
    tensors = {name: value.numpy() for name, value in network.state_dict().items()}
    rest = {name: v for name, v in tensors.items() if not name.startswith(("salt.", "deep."))}
    bundle = bundles.save(
        tmp_path / "model", rest, name="n", model=SMALL, preprocess=PreprocessConfig(size=32)
    )
    found = load_trained(bundle)
    assert found.initialised == ("salt", "deep")
    other = small_network(SMALL, seed=8)
    own = {name: value.clone() for name, value in other.state_dict().items()}
    assert put_weights(other, rest) == ("salt", "deep")
    for name, value in other.state_dict().items():
        assert value.equal(torch.from_numpy(rest[name]) if name in rest else own[name])
    # a part that is there must be whole
    halfway = rest | {"salt.weight": tensors["salt.weight"]}
    assert misfits(network, halfway) == ["salt.bias is missing"]


def test_weights_of_another_architecture_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    tensors = bundle.tensors()
    first = next(iter(tensors))
    wrong = bundles.save(
        tmp_path / "wrong",
        {name: value for name, value in tensors.items() if name != first}
        | {"more": tensors[first]},
        name="n",
        model=bundle.info.model,
        preprocess=PreprocessConfig(size=32),
    )
    with pytest.raises(BundleError, match="does not fit its architecture") as caught:
        load_trained(wrong)
    assert WEIGHTS in caught.value.found
    assert f"{first} is missing; more is unknown" in caught.value.found
