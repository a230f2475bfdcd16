import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.bundle import CARD, INFO, WEIGHTS, Bundle, Fingerprints
from diapir.errors import BundleError, ExportError
from diapir.exports import export_bundle, graph, parity
from diapir.exports.mean import MeanEngine
from diapir.inference import EngineOptions, Predictor
from diapir.inference.engines.engine import salt_probability
from diapir.inference.ensemble import Ensemble
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
    assert info.versions.keys() == {"diapir", "numpy", "torch", "timm", "onnx", "onnxruntime"}
    assert "model.onnx. Differs from the original network by" in (bundle.path / CARD).read_text()


def test_it_predicts_what_the_model_predicts(source: Bundle) -> None:
    expected = Predictor(source, EngineOptions(device="cpu")).probabilities(images())
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
    expected = Predictor(source, EngineOptions(device="cpu")).probabilities(images())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(BundleError, match="which cannot be exported again"):
        export_bundle(bundle, "onnx", bundle.path.with_name("again"), images=images(), data="")


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few small tiles of noise have too few pixels to hold a share of 0.005 % to."""
    monkeypatch.setattr(parity, "MAX_FLIPPED", 0.01)


@pytest.mark.usefixtures("lenient")
def test_half_takes_half_the_space(source: Bundle, tmp_path: Path) -> None:
    whole = exported(source, "onnx")
    half = export_bundle(whole, "onnx", tmp_path / "half", images=images(), data="noise", half=True)
    assert half.info.export is not None
    assert half.info.export.half
    assert half.network.stat().st_size < 0.7 * whole.network.stat().st_size
    assert 0 < half.info.export.parity.probability < parity.MAX_PROBABILITY[True]


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
    monkeypatch.setattr(parity, "MAX_PROBABILITY", {False: -1, True: -1})
    with pytest.raises(ExportError, match="nothing was written"):
        export_bundle(whole, "onnx", tmp_path / "new" / "out", images=images(), data="noise")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(source: Bundle, tmp_path: Path) -> None:
    whole = exported(source, "onnx")

    def refused(out: Path, complaint: str) -> None:
        with pytest.raises(ExportError, match=complaint):
            export_bundle(whole, "onnx", out, images=images(), data="noise")

    (tmp_path / "notes.txt").write_text("mine")
    refused(tmp_path, "is not an exported model")
    refused(tmp_path / "notes.txt", "is a file")
    refused(source.path, "is not an exported model")
    refused(source.path.parent, "is not an exported model")
    refused(whole.path, "is the model to be exported")
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
    with pytest.raises(ExportError, match="cannot be exported to ONNX: ONNX has no such operation"):
        export_bundle(source, "onnx", tmp_path / "out", images=images(), data="noise")
    assert list(tmp_path.iterdir()) == []


def other_weights(source: Bundle, folder: Path, **fields: object) -> Bundle:
    """The same architecture, with other weights and what else is told of it."""
    noise = np.random.default_rng(1)
    tensors = {
        name: value + (0.05 * noise.normal(size=value.shape)).astype(value.dtype)
        for name, value in source.tensors().items()
    }
    info = source.info.model_dump(exclude={"weights_sha256", "versions", "export"})
    return bundles.save(folder, tensors, **info | fields)


@pytest.mark.parametrize("form", ["weights", "onnx"])
def test_several_are_exported_as_their_mean(source: Bundle, tmp_path: Path, form: str) -> None:
    other = other_weights(
        source,
        tmp_path / "other",
        threshold=0.4,
        min_area=30,
        training_tiles=Fingerprints.of(["02" * 8]),
    )
    copied = shutil.copytree(source.path, tmp_path / "source")
    known = Fingerprints.of(["01" * 8, "02" * 8])
    source = bundles.annotate(Bundle(copied, source.info), training_tiles=known)
    members = [source, other]
    if form == "onnx":
        members = [
            export_bundle(one, "onnx", tmp_path / str(place), images=images(), data="noise")
            for place, one in enumerate(members)
        ]
    first, *further = members
    made = export_bundle(
        first, "onnx", tmp_path / "both", images=images(), data="noise", further=further
    )
    mean = Ensemble(
        [
            Predictor(source, EngineOptions(device="cpu")),
            Predictor(other, EngineOptions(device="cpu")),
        ]
    )
    expected = mean.probabilities(images())
    found = Predictor(bundles.load(made.path)).probabilities(images())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    alone = Predictor(source, EngineOptions(device="cpu")).probabilities(images())
    assert np.abs(np.stack(found) - np.stack(alone)).max() > 1e-3

    info = made.info
    assert info.export is not None
    assert info.export.any_size
    assert info.export.parity.reference.startswith("mean of ")
    assert info.threshold == (source.info.threshold + 0.4) / 2
    assert info.min_area == 15
    assert info.metrics == {}
    assert [member["weights_sha256"] for member in info.training["mean of"]] == [
        source.info.weights_sha256,
        other.info.weights_sha256,
    ]
    assert info.weights_sha256 not in {source.info.weights_sha256, other.info.weights_sha256}
    assert info.training_tiles == Fingerprints.of(["01" * 8, "02" * 8])
    card = (made.path / CARD).read_text(encoding="utf-8")
    assert source.info.weights_sha256[:12] in card
    assert other.info.weights_sha256[:12] in card


def test_probabilities_of_0_and_1_have_a_mean(tmp_path: Path) -> None:
    class Sure:
        name, threads = "sure", 1

        def __init__(self, sign: int) -> None:
            self.sign = sign

        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            salt = np.full_like(batch[:, :1], 1e4 * self.sign)
            return np.concatenate([-salt, salt], axis=1)

    image = np.zeros((1, 3, 4, 4), np.float32)
    for signs, expected in (((1, 1), 1.0), ((-1, -1), 0.0), ((1, -1), 0.5)):
        logits = MeanEngine([Sure(sign) for sign in signs]).logits(image)
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(salt_probability(logits[0]), expected, atol=1e-6)


def test_models_of_other_input_are_no_mean(source: Bundle, tmp_path: Path) -> None:
    larger = source.info.preprocess.model_copy(update={"size": 2 * source.info.preprocess.size})
    other = other_weights(source, tmp_path / "other", preprocess=larger)
    with pytest.raises(ExportError, match="differ in preprocess"):
        export_bundle(
            *(source, "onnx", tmp_path / "both"), images=images(), data="noise", further=[other]
        )
    assert not (tmp_path / "both").exists()
