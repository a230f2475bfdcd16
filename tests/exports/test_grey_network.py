"""Networks from grey levels to probabilities, run as another program would."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from diapir.errors import ConfigError, ExportError
from diapir.exports import GREY_NETWORK, export_bundle, grey_network, parity
from diapir.exports.grey_network import GreyType, compile_grey_network
from diapir.exports.metadata import read_facts
from diapir.inference import EngineOptions, Predictor
from tests.helpers.exports import exported, images
from tests.helpers.tiny import small_bundle

SHAPES = ((32, 32), (31, 18), (24, 32), (13, 15))
"""Up to the size of the network's input; odd padding among them."""


def with_preprocessing(
    source: Bundle, out: Path, kind: GreyType, form: Literal["onnx", "openvino"] = "onnx"
) -> Path:
    export_bundle(
        exported(source, "onnx"), form, out, images=images(), data="", with_preprocessing=kind
    )
    return out / f"{GREY_NETWORK}.{'onnx' if form == 'onnx' else 'xml'}"


@pytest.mark.parametrize("pad", ["zero", "reflect", "edge"])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_it_gives_what_diapir_predicts(
    tmp_path: Path, kind: GreyType, pad: Literal["zero", "reflect", "edge"]
) -> None:
    config = PreprocessConfig(size=32, pad=pad, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    bundle = small_bundle(tmp_path / "best", preprocess=config, threshold=0.4)
    predictor = Predictor(bundle, EngineOptions(device="cpu"))
    network = exported(bundle, "onnx")
    whole = tmp_path / "whole.onnx"
    grey_network.write_grey_network(network.network, whole, bundle.info, kind, any_size=True)
    compiled = compile_grey_network(whole, "onnx")
    rng = np.random.default_rng(1)
    for shape in SHAPES:
        image = rng.integers(0, 256, shape, dtype=np.uint8)
        (expected,) = predictor.probabilities([image])
        (found,) = compiled(image[None].astype(kind))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_several_images_at_once_and_a_constant_one(source: Bundle, tmp_path: Path) -> None:
    compiled = compile_grey_network(with_preprocessing(source, tmp_path / "out", "uint8"), "onnx")
    stack = np.stack([images(1)[0], np.full((24, 24), 9, np.uint8)])
    found = compiled(stack)
    assert found.shape == (2, 24, 24)
    assert found[0].max() > 0
    assert not found[1].any()


def test_larger_images_run_in_one_piece(source: Bundle, tmp_path: Path) -> None:
    compiled = compile_grey_network(with_preprocessing(source, tmp_path / "out", "uint8"), "onnx")
    large = np.random.default_rng(2).integers(0, 256, (1, 70, 45), dtype=np.uint8)
    assert compiled(large).shape == (1, 70, 45)


def test_a_network_of_one_size_refuses_larger_images(source: Bundle, tmp_path: Path) -> None:
    network, whole = exported(source, "onnx").network, tmp_path / "whole.onnx"
    grey_network.write_grey_network(network, whole, source.info, "uint8", any_size=False)
    compiled = compile_grey_network(whole, "onnx")
    assert compiled(np.zeros((1, 20, 32), np.uint8)).shape == (1, 20, 32)
    with pytest.raises(Exception, match=r"preprocessing|Non-zero|dimension|shape"):
        compiled(np.zeros((1, 33, 33), np.uint8))


def test_openvino_gives_the_same(source: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    file = with_preprocessing(source, tmp_path / "out", "float32", "openvino")
    assert file.with_suffix(".bin").is_file()
    image = images(1)[0]
    (expected,) = Predictor(source, EngineOptions(device="cpu")).probabilities([image])
    (found,) = compile_grey_network(file, "openvino")(image[None].astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_its_facts_are_those_of_grey_levels(source: Bundle, tmp_path: Path) -> None:
    facts = read_facts(with_preprocessing(source, tmp_path / "out", "uint8"))
    assert (facts["input"]["name"], facts["input"]["type"]) == ("grey", "uint8")
    assert facts["output"]["name"] == "probability"
    assert facts["threshold"] == 0.4


def test_the_bundle_beside_it_is_unchanged(source: Bundle, tmp_path: Path) -> None:
    with_preprocessing(source, tmp_path / "out", "uint8")
    (found,) = Predictor.load(tmp_path / "out").probabilities(images(1))
    (expected,) = Predictor(exported(source, "onnx")).probabilities(images(1))
    np.testing.assert_array_equal(found, expected)


def test_what_differs_is_refused(
    source: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constants = grey_network._constants

    def wrong(info: object) -> dict[str, np.ndarray]:
        found = constants(source.info)
        return found | {"factor": found["factor"] * np.float32(1.5)}

    monkeypatch.setattr(grey_network, "_constants", wrong)
    with pytest.raises(ExportError, match="nothing was written"):
        with_preprocessing(source, tmp_path / "out", "uint8")
    assert not (tmp_path / "out").exists()
    assert parity.MAX_PROBABILITY[False] < 1e-3


def test_another_type_is_refused(source: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        with_preprocessing(source, tmp_path / "out", "int16")  # type: ignore[arg-type]
    assert caught.value.expected == "uint8 or float32"
