from pathlib import Path

import numpy as np
import pytest

from diapir import bundle as bundles
from diapir.bundle import CARD, INFO, WEIGHTS, Bundle
from diapir.errors import BundleError, ExportError
from diapir.export import export_bundle, graph, parity
from diapir.inference import Predictor
from tests.helpers.exports import exported, images


def test_an_export_is_the_model_in_another_form(source: Bundle) -> None:
    bundle = bundles.load(exported(source, "onnx").path)
    assert sorted(path.name for path in bundle.path.iterdir()) == [INFO, CARD, "model.onnx"]
    info, made = bundle.info, bundle.info.export
    assert made is not None
    assert (made.form, made.half, made.any_size) == ("onnx", False, True)
    assert (made.parity.flipped, made.parity.reference) == (0, "torch on cpu")
    assert made.parity.probability < 1e-5
    kept = {"export": None, "versions": source.info.versions}
    assert info.model_copy(update=kept) == source.info
    assert info.versions.keys() == {"diapir", "numpy", "onnx", "onnxruntime"}
    assert "model.onnx. Of the network it was made from" in (bundle.path / CARD).read_text()


def test_it_predicts_what_the_model_predicts(source: Bundle) -> None:
    expected = Predictor(source, device="cpu").probabilities(images())
    found = Predictor(exported(source, "onnx")).probabilities(images())
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_openvino_is_made_of_an_onnx_export_too(source: Bundle) -> None:
    pytest.importorskip("openvino", reason="the extra [openvino] is not installed")
    bundle = exported(source, "openvino")
    made = bundle.info.export
    assert made is not None
    assert list(made.files) == ["model.xml", "model.bin"]
    assert made.parity.reference == "onnxruntime on cpu"
    assert bundle.info.weights_sha256 == source.info.weights_sha256
    found = Predictor(bundle).probabilities(images())
    expected = Predictor(source, device="cpu").probabilities(images())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(BundleError, match="which nothing is exported from"):
        export_bundle(bundle, "onnx", bundle.path.with_name("again"), images=images(), data="")


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few small tiles of noise have too few pixels to hold a share of 0.005 % to."""
    monkeypatch.setattr(parity, "MOST_FLIPPED", 0.01)


@pytest.mark.usefixtures("lenient")
def test_half_takes_half_the_space(source: Bundle, tmp_path: Path) -> None:
    whole = exported(source, "onnx")
    half = export_bundle(whole, "onnx", tmp_path / "half", images=images(), data="noise", half=True)
    assert half.info.export is not None
    assert half.info.export.half
    assert half.network.stat().st_size < 0.7 * whole.network.stat().st_size
    assert 0 < half.info.export.parity.probability < parity.MOST_PROBABILITY[True]


@pytest.mark.usefixtures("lenient")
def test_an_export_of_half_an_export_says_so(source: Bundle, tmp_path: Path) -> None:
    whole = exported(source, "onnx")
    half = export_bundle(whole, "onnx", tmp_path / "half", images=images(), data="noise", half=True)
    again = export_bundle(half, "onnx", tmp_path / "again", images=images(), data="noise")
    assert again.info.export is not None
    assert again.info.export.half


def test_an_earlier_export_is_replaced(source: Bundle, tmp_path: Path) -> None:
    whole = exported(source, "onnx")
    for data in ("first", "second"):
        export_bundle(whole, "onnx", tmp_path / "out", images=images(), data=data)
    made = bundles.load(tmp_path / "out").info.export
    assert made is not None
    assert made.parity.data == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_differs_is_refused_and_nothing_written(
    source: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = exported(source, "onnx")
    monkeypatch.setattr(parity, "MOST_PROBABILITY", {False: -1, True: -1})
    with pytest.raises(ExportError, match="nothing was written"):
        export_bundle(whole, "onnx", tmp_path / "new" / "out", images=images(), data="noise")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(source: Bundle, tmp_path: Path) -> None:
    whole = exported(source, "onnx")

    def refused(out: Path, complaint: str) -> None:
        with pytest.raises(ExportError, match=complaint):
            export_bundle(whole, "onnx", out, images=images(), data="noise")

    (tmp_path / "notes.txt").write_text("mine")
    refused(tmp_path, "holds something else than an exported model")
    refused(tmp_path / "notes.txt", "holds something else")
    refused(source.path, "holds something else")
    refused(source.path.parent, "holds something else")
    refused(whole.path, "is the model that is to be exported")
    assert (source.path / WEIGHTS).is_file()


def test_a_network_for_one_size_only_is_exported_for_that(
    source: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = exported(source, "onnx").network.read_bytes()
    asked = []

    def trace(bundle: Bundle, path: Path, *, any_size: bool) -> None:
        asked.append(any_size)
        if any_size:
            raise RuntimeError("sizes cannot be told apart")
        path.write_bytes(genuine)

    monkeypatch.setattr(graph, "trace", trace)
    bundle = export_bundle(source, "onnx", tmp_path / "out", images=images(), data="noise")
    assert bundle.info.export is not None
    assert asked == [True, False]
    assert not bundle.info.export.any_size


def test_a_network_that_says_otherwise_at_other_sizes_is_exported_for_its_own(
    source: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = exported(source, "onnx").network.read_bytes()

    def trace(bundle: Bundle, path: Path, *, any_size: bool) -> None:
        path.write_bytes(genuine)

    monkeypatch.setattr(graph, "trace", trace)
    monkeypatch.setattr(parity, "holds_at", lambda *_: False)
    bundle = export_bundle(source, "onnx", tmp_path / "out", images=images(), data="noise")
    assert bundle.info.export is not None
    assert not bundle.info.export.any_size


def test_a_network_that_cannot_be_traced_is_refused_with_the_reason(
    source: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trace(bundle: Bundle, path: Path, *, any_size: bool) -> None:
        raise RuntimeError("ONNX has no\nsuch operation")

    monkeypatch.setattr(graph, "trace", trace)
    with pytest.raises(ExportError, match="cannot be written as ONNX: ONNX has no such operation"):
        export_bundle(source, "onnx", tmp_path / "out", images=images(), data="noise")
    assert list(tmp_path.iterdir()) == []
