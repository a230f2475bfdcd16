from pathlib import Path

import numpy as np
import pytest

from diapir.bundle import Bundle
from diapir.errors import BundleError
from diapir.inference import Engine
from diapir.inference.torch_engine import TorchEngine
from tests.helpers.exports import exported
from tests.inference.conftest import SIZE
from tests.inference.engine_contract import EngineContract

openvino_engine = pytest.importorskip(
    "diapir.inference.openvino_engine", reason="the extra [openvino] is not installed"
)


class TestOpenvinoEngine(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        engine: Engine = openvino_engine.OpenvinoEngine(exported(bundle, "openvino").network)
        return engine


class TestOpenvinoEngineOnAnOnnxFile(EngineContract):
    def open(self, bundle: Bundle) -> Engine:
        engine: Engine = openvino_engine.OpenvinoEngine(exported(bundle, "onnx").network)
        return engine


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
