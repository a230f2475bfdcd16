"""Bundles that hold an exported network and the weights that training starts from."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.architectures import UNetConfig
from diapir.bundle import CARD, INFO, WEIGHTS, Bundle, weights_file
from diapir.config import PreprocessConfig
from diapir.errors import BundleError
from tests.test_bundle import PARITY

TENSORS: dict[str, NDArray[Any]] = {
    "norm.running_mean": np.ones(3, np.float32),
    "kernel": np.linspace(-1, 1, weights_file.LARGE, dtype=np.float32),
    "bias": np.full(3, 1 / 3, np.float32),
    "norm.num_batches_tracked": np.array(7, np.int64),
}


@pytest.fixture
def both(tmp_path: Path) -> Bundle:
    """An export with its weights, stored as float16."""
    return _export(tmp_path, half=True)


def _export(tmp_path: Path, *, half: bool, weights: bool = True) -> Bundle:
    source = bundles.save(
        tmp_path / "source", TENSORS, name="small", model=UNetConfig(), preprocess=PREPROCESS
    )
    (tmp_path / "model.onnx").write_bytes(b"\n\x04onnx")  # a field, as of Protobuf
    bundles.write_weights(tmp_path / WEIGHTS, TENSORS, half=half)
    made: dict[str, Any] = {"form": "onnx", "half": half, "any_size": True, "parity": PARITY}
    beside = tmp_path / WEIGHTS if weights else None
    return bundles.save_export(
        *(tmp_path / "both", source.info, [tmp_path / "model.onnx"]),
        weights=beside,
        versions={},
        **made,
    )


PREPROCESS = PreprocessConfig(size=32)


def test_both_are_kept_and_found_again(both: Bundle, tmp_path: Path) -> None:
    loaded = bundles.load(both.path)
    assert loaded == both
    names = [INFO, CARD, "model.onnx", WEIGHTS]
    assert sorted(path.name for path in both.path.iterdir()) == names
    assert loaded.info.form == "onnx"
    assert loaded.network == both.path / "model.onnx"
    assert loaded.info.trainable
    assert loaded.info.weights is not None
    assert loaded.info.weights.half
    # what identifies the network is the hash of the weights that were trained
    assert loaded.info.weights_sha256 == bundles.load(tmp_path / "source").info.weights_sha256
    assert loaded.info.weights_sha256 != loaded.info.weights.sha256
    card = (both.path / CARD).read_text(encoding="utf-8")
    assert "- Trainable weights: model.safetensors, large tensors stored as float16." in card


def test_half_rounds_large_tensors_only(both: Bundle) -> None:
    found = both.tensors()
    assert found.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert found[name].dtype == value.dtype
        error = np.abs(found[name] - value).max()
        assert 0 < error < 1e-3 if name == "kernel" else error == 0
    large = np.full(weights_file.LARGE, 1e5, np.float32)
    assert weights_file.halved(large) is large  # infinite as float16


def test_whole_weights_are_kept_as_they_are(tmp_path: Path) -> None:
    both = _export(tmp_path, half=False)
    for name, value in TENSORS.items():
        np.testing.assert_array_equal(both.tensors()[name], value)


def test_parameters_are_counted_without_statistics(both: Bundle) -> None:
    assert weights_file.count_parameters(both.path / WEIGHTS) == weights_file.LARGE + 3


@pytest.mark.parametrize("name", ["model.onnx", WEIGHTS])
@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"other")])
def test_a_changed_or_missing_file_is_refused(
    both: Bundle, name: str, change: Callable[[Path], object]
) -> None:
    change(both.path / name)
    with pytest.raises(BundleError, match=rf"{name} (has changed|.*it is missing)"):
        bundles.load(both.path)


def test_the_description_is_read_without_the_network(both: Bundle) -> None:
    (both.path / "model.onnx").unlink()
    assert bundles.read_info(both.path) == both.info
    (both.path / INFO).write_text("{}")
    with pytest.raises(BundleError, match=INFO):
        bundles.read_info(both.path)


def test_metrics_are_recorded_beside_both(both: Bundle) -> None:
    scores = {"dice": 0.8, "kaggle_map": 0.7, "ci95": {"dice": [0, 1]}}
    inside = scores | {"flips": 0.05, "n_tiles": 42, "n_sections": 24, "alone": scores}
    bundles.annotate(both, metrics={"dice": 0.9, "in_sections": inside})
    assert bundles.load(both.path).info.metrics["in_sections"] == inside
    card = (both.path / CARD).read_text(encoding="utf-8")
    assert "42 tiles in 24 sections" in card
    assert card.index("| dice | 0.8000 | 0.0000 to 1.0000 |") < card.index("| dice | 0.9000 |  |")


def test_a_bundle_of_one_kind_stays_readable_for_an_older_diapir(tmp_path: Path) -> None:
    alone = _export(tmp_path, half=True, weights=False)
    for bundle, version in ((alone, 1), (bundles.load(tmp_path / "source"), 1)):
        content = json.loads((bundle.path / INFO).read_text())
        assert content["format"] == version
        assert "weights" not in content
    assert not alone.info.trainable


def test_an_older_diapir_refuses_both_by_the_format(both: Bundle) -> None:
    content = json.loads((both.path / INFO).read_text())
    assert next(iter(content)) == "format"  # the first key that is checked
    assert content["format"] == 2


def test_a_newer_format_is_refused_by_its_number(both: Bundle) -> None:
    path = both.path / INFO
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    with pytest.raises(BundleError, match="format = 3, which a newer diapir wrote") as caught:
        bundles.load(both.path)
    assert caught.value.fix == "update diapir"


def test_an_export_alone_names_the_models_that_can_be_trained(tmp_path: Path) -> None:
    alone = _export(tmp_path, half=True, weights=False)
    with pytest.raises(BundleError, match=r"holds model\.onnx, which PyTorch cannot") as caught:
        alone.tensors()
    assert "of the bundled models: salt and general" in caught.value.expected
    assert "--trainable" in caught.value.fix


def test_weights_that_are_damaged_after_loading_are_an_error(both: Bundle) -> None:
    (both.path / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(BundleError, match=WEIGHTS):
        both.tensors()


# the bundled models


def test_the_bundled_models_are_described(
    both: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "shipped"
    monkeypatch.setattr("diapir.bundle.places.resources.files", lambda package: shelf)
    for name in ("salt", "general"):
        shutil.copytree(both.path, shelf / name)
    scores = {"dice": 0.8, "kaggle_map": 0.7}
    inside = scores | {"flips": 0.05, "n_tiles": 42, "n_sections": 24, "alone": scores}
    bundles.annotate(bundles.load("general"), metrics={"dice": 0.9, "in_sections": inside})
    general, salt = bundles.bundled_models()
    assert (general.name, salt.name) == ("general", "salt")
    assert general.in_sections == inside
    assert salt.in_sections is None
    assert salt.parameters == weights_file.LARGE + 3
    assert salt.size == sum(path.stat().st_size for path in salt.path.iterdir())
    told = general.to_json()
    assert told["tiles"] == {"dice": 0.9}
    assert (told["trainable"], told["half"]) == (True, True)
    (shelf / "salt" / WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(BundleError, match="cannot be used"):
        list(bundles.bundled_models())
