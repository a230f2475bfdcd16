from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from diapir.bundle import CARD, Bundle
from diapir.errors import ExportError
from diapir.exports import export_bundle, int8
from diapir.inference import EngineOptions, Predictor
from tests.helpers.exports import exported, images

TILES = images(64)


@pytest.fixture(scope="module")
def quantised(source: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("int8") / "export"
    patch = pytest.MonkeyPatch()
    with patch.context() as only:  # on noise every pixel is in doubt
        only.setattr("diapir.exports.parity.MAX_FLIPPED_INT8", 0.02)
        return export_bundle(
            exported(source, "onnx"), "onnx", out, images=TILES, data="noise", int8=True
        )


def test_convolutions_are_in_integers(quantised: Bundle, source: Bundle) -> None:
    graph = onnx.load(quantised.network).graph
    kinds = {one.name: one.data_type for one in graph.initializer}
    outputs = {name: node for node in graph.node for name in node.output}
    kernels = [node.input[1] for node in graph.node if node.op_type == "Conv"]
    rounded = [kernel for kernel in kernels if kernel in outputs]
    assert len(kernels) > len(rounded) > len(kernels) / 2  # the worst stay in float
    for kernel in rounded:
        assert outputs[kernel].op_type == "DequantizeLinear"
        assert kinds[outputs[kernel].input[0]] == onnx.TensorProto.INT8
    made = quantised.info.export
    assert made is not None
    assert (made.int8, made.half, made.any_size) == (True, False, True)
    assert made.parity.tiles == 32  # the half that ranges were not measured on
    assert 0 < (made.parity.mean or 0) < 0.02
    assert "convolutions in int8" in (quantised.path / CARD).read_text()


def test_it_predicts_nearly_what_the_model_predicts(quantised: Bundle, source: Bundle) -> None:
    expected = np.stack(Predictor(source, EngineOptions(device="cpu")).probabilities(TILES))
    found = np.stack(Predictor(quantised).probabilities(TILES))
    assert 0 < np.abs(found - expected).mean() < 0.02
    assert ((found >= 0.4) != (expected >= 0.4)).mean() < 0.02


def test_results_beyond_tolerance_are_refused(source: Bundle, tmp_path: Path) -> None:
    def zero(*arguments: Any) -> tuple[float, float]:
        return 0.0, 1e-3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8, "_middle", zero)
        with pytest.raises(ExportError, match="pixels change class") as caught:
            export_bundle(
                exported(source, "onnx"), "onnx", tmp_path / "out", images=TILES, data="noise",
                int8=True,
            )  # fmt: skip
    assert "--int8" in caught.value.fix
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["half", "trainable", "with_preprocessing"])
def test_options_that_it_does_not_go_with(source: Bundle, tmp_path: Path, option: str) -> None:
    given: Any = {option: "uint8" if option == "with_preprocessing" else True}
    name = option.replace("_", "-")
    with pytest.raises(ExportError, match=f"--int8 and --{name} are both given"):
        export_bundle(
            source, "onnx", tmp_path / "out", images=TILES, data="noise", int8=True, **given
        )


def test_few_tiles_are_refused(source: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="--int8 with 6 tiles"):
        export_bundle(source, "onnx", tmp_path / "out", images=images(), data="noise", int8=True)


def test_a_model_in_int8_is_not_quantised_again(quantised: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is in int8 already"):
        export_bundle(quantised, "onnx", tmp_path / "out", images=TILES, data="noise", int8=True)


@pytest.mark.parametrize("low", [0.0, -2.0])
def test_a_range_leaves_out_the_few_largest_values(low: float) -> None:
    values = np.random.default_rng(0).uniform(low, 1, 100_000)
    values[:3] = 50
    counts = np.histogram(values, 2048, (low, 50))[0].astype(float)
    found = int8._middle(counts, low, 50.0)
    assert found[1] == pytest.approx(1, abs=0.06)
    assert found[0] == pytest.approx(low, abs=0.06)


def test_the_worst_convolutions_stay_in_float() -> None:
    errors = {"first": 50.0, "second": 45.0, "third": 4.0, "fourth": 1.0}
    even = dict.fromkeys("abcdefgh", 1.0)
    assert int8._left(errors | even) == {"first", "second", "third"}  # at most a quarter of 12
    assert int8._left(even) == {"a", "b"}
    assert int8._left(errors | dict.fromkeys("abcdefgh", 0.01)) == {"first", "second"}
    assert int8._left(dict.fromkeys("ab", 0.0)) == set()
