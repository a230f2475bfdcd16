from pathlib import Path

import numpy as np
import pytest

from diapir.bundle import Bundle
from diapir.errors import BundleError, DeviceError
from diapir.inference import Engine
from diapir.inference.engines.torch_engine import TorchEngine
from tests.helpers.exports import exported
from tests.inference.conftest import SIZE
from tests.inference.engines.engine_contract import EngineContract

openvino_engine = pytest.importorskip(
    "diapir.inference.engines.openvino_engine", reason="the extra [openvino] is not installed"
)


class TestOpenvinoEngine(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        engine: Engine = openvino_engine.OpenvinoEngine(exported(bundle, "openvino").network)
        return engine


class TestOpenvinoEngineOnAnOnnxFile(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        engine: Engine = openvino_engine.OpenvinoEngine(exported(bundle, "onnx").network)
        return engine


def needs_bf16() -> None:
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16")


class TestOpenvinoEngineInBfloat16(EngineContract):
    tolerance = 0.05

    def open(self, bundle: Bundle) -> Engine:
        needs_bf16()
        network = exported(bundle, "onnx").network
        engine: Engine = openvino_engine.OpenvinoEngine(network, bf16=True)
        return engine


@pytest.mark.parametrize("count", [1, 3, 4, 5, 23])
def test_a_batch_is_cut_into_pieces_of_fixed_shape(bundle: Bundle, count: int) -> None:
    batch = np.random.default_rng(0).normal(size=(count, 3, SIZE, SIZE)).astype(np.float32)
    engine = openvino_engine.OpenvinoEngine(exported(bundle, "onnx").network, threads=1)
    found = engine.logits(batch)
    expected = TorchEngine(bundle, device="cpu").logits(batch)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    needed = {size for size in (16, 4, 1) if count % (16 if size < 16 else 99) >= size}
    assert {shape[0] for shape in engine._compiled} <= needed


def test_few_compiled_networks_are_kept(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_engine, "NETWORKS", 2)
    engine = openvino_engine.OpenvinoEngine(exported(bundle, "onnx").network, threads=1)
    for side in (SIZE, 2 * SIZE, 3 * SIZE, SIZE):
        batch = np.ones((1, 3, side, side), np.float32)
        assert engine.logits(batch).shape == (1, 2, side, side)
        assert len(engine._compiled) <= 2


def test_a_cpu_without_bfloat16_is_told(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    class Core:
        def get_property(self, *names: str) -> list[str]:
            return ["FP32"]

    network = exported(bundle, "onnx").network
    monkeypatch.setattr(openvino_engine.openvino, "Core", Core)
    with pytest.raises(DeviceError, match="this CPU has no bfloat16"):
        openvino_engine.OpenvinoEngine(network, bf16=True)


def test_threads_are_set(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    network = exported(bundle, "openvino").network
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert openvino_engine.OpenvinoEngine(network).threads == 1
    assert openvino_engine.OpenvinoEngine(network, threads=2).threads == 2


def test_other_sizes_than_the_models_own(bundle: Bundle) -> None:
    batch = np.random.default_rng(0).normal(size=(2, 3, SIZE, 2 * SIZE)).astype(np.float32)
    found = openvino_engine.OpenvinoEngine(exported(bundle, "openvino").network).logits(batch)
    expected = TorchEngine(bundle, device="cpu").logits(batch)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_bytes(b"<net/>")
    with pytest.raises(BundleError, match=r"model\.xml cannot be used"):
        openvino_engine.OpenvinoEngine(tmp_path / "model.xml")
