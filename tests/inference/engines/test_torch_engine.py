import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import dropout

from diapir import bundle as bundles
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from diapir.errors import BundleError, DeviceError
from diapir.inference import Engine, EngineOptions, Predictor
from diapir.inference.engines.engine import FromGrey, salt_probability
from diapir.inference.engines.torch_engine import TorchEngine, open_torch
from diapir.models.unet import UNet
from diapir.preprocess import to_input
from tests.inference.conftest import SIZE
from tests.inference.engines.engine_contract import EngineContract


class TestTorchEngine(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        return TorchEngine(bundle, device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
class TestTorchEngineOnCuda(EngineContract):
    tolerance = 0.02  # bfloat16 keeps 8 bits

    def open(self, bundle: Bundle) -> Engine:
        return open_torch(bundle, device="cuda")

    def test_probabilities_of_bytes_are_those_of_logits(self, bundle: Bundle) -> None:
        engine = open_torch(bundle, device="cuda")
        assert isinstance(engine, FromGrey)
        grey = np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE), dtype=np.uint8)
        logits = TorchEngine(bundle, device="cpu").logits(to_input(grey, bundle.info.preprocess))
        expected = salt_probability(np.moveaxis(logits, 1, 0))
        for _ in range(3):  # recorded from the second on
            found = engine.probabilities(grey)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected, atol=0.01)

    def test_sections_are_those_of_the_cpu(self, bundle: Bundle) -> None:
        noise = np.random.default_rng(2)
        images = [noise.integers(0, 256, (5 * SIZE, 7 * SIZE), dtype=np.uint8) for _ in range(4)]
        cpu = Predictor(bundle, engine=TorchEngine(bundle, device="cpu"))
        gpu = Predictor(bundle, EngineOptions(batch=24), engine=open_torch(bundle, device="cuda"))
        assert (gpu.batch, Predictor(bundle, engine=gpu.engine).batch) == (24, 192)
        for one, other in zip(cpu.probabilities(images), gpu.probabilities(images), strict=True):
            np.testing.assert_allclose(other, one, atol=0.01)


def _without(tensors: dict[str, NDArray[Any]]) -> None:
    del tensors["head.bias"]


def _with_another(tensors: dict[str, NDArray[Any]]) -> None:
    tensors["tail.bias"] = np.zeros(2, np.float32)


def _of_another_shape(tensors: dict[str, NDArray[Any]]) -> None:
    tensors["head.bias"] = np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_without, "head.bias is missing"),
        (_with_another, "tail.bias is unknown"),
        (_of_another_shape, "head.bias is (3,) instead of (2,)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    bundle: Bundle, tmp_path: Path, change: Callable[[dict[str, NDArray[Any]]], None], fault: str
) -> None:
    tensors = bundle.tensors()
    change(tensors)
    other = bundles.save(
        tmp_path / "other",
        tensors,
        name="other",
        model=bundle.info.model,
        preprocess=bundle.info.preprocess,
    )
    with pytest.raises(BundleError, match=re.escape(fault)):
        TorchEngine(other, device="cpu")


def test_an_input_size_the_network_cannot_take_is_refused(bundle: Bundle) -> None:
    info = bundle.info.model_copy(update={"preprocess": PreprocessConfig(size=33)})
    with pytest.raises(BundleError, match="33 is not a multiple of 8"):
        TorchEngine(dataclasses.replace(bundle, info=info), device="cpu")


def test_loading_leaves_the_random_numbers_of_the_caller(bundle: Bundle) -> None:
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    TorchEngine(bundle, device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_what_only_training_does_is_off(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(UNet):
        def forward(self, images: Tensor) -> Tensor:
            return dropout(super().forward(images), training=self.training)

    monkeypatch.setattr("diapir.models.unet.UNet", Forgetful)
    batch = np.ones((1, 3, SIZE, SIZE), np.float32)
    engine = TorchEngine(bundle, device="cpu")
    np.testing.assert_array_equal(engine.logits(batch), engine.logits(batch))


def test_threads_are_set(bundle: Bundle) -> None:
    before = torch.get_num_threads()
    try:
        TorchEngine(bundle, device="cpu", threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(
    bundle: Bundle, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=f"device '{device}' was requested") as caught:
        open_torch(bundle, device=device)
    assert caught.value.expected == "auto or one of cpu"
    assert open_torch(bundle, device="auto").name == "torch on cpu"
