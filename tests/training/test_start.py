"""A training that starts from the weights of an earlier one."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diapir import bundle
from diapir.bundle import weights_file
from diapir.config import RunConfig
from diapir.errors import BundleError, ConfigError
from diapir.exports import export_bundle, parity, shared_weights
from diapir.inference import EngineOptions, Predictor
from diapir.tiles import Split, load_tiles
from diapir.training import train
from tests.helpers.exports import images

Recipe = Callable[..., RunConfig]


def test_a_run_starts_from_an_earlier_one(bright_salt: Path, tiny: Recipe, tmp_path: Path) -> None:
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    said = io.StringIO()
    config = tiny("train.epochs=1", f"train.start={tmp_path / 'first'}", "optimizer.lr=1e-12")
    train(config, bright_salt, tmp_path / "second", stream=said)
    first, second = (bundle.load(tmp_path / name).tensors() for name in ("first", "second"))
    assert all(np.allclose(first[name], second[name], atol=1e-6) for name in first)
    assert "Started from tiny" in said.getvalue()


def test_a_model_that_does_not_fit_is_refused(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    wider = tiny("model.base=4", f"train.start={tmp_path / 'first'}")
    with pytest.raises(ConfigError, match="instead of"):
        train(wider, bright_salt, tmp_path / "second", stream=io.StringIO())
    with pytest.raises(BundleError):
        train(
            tiny(f"train.start={tmp_path / 'none'}"),
            bright_salt,
            tmp_path / "third",
            stream=io.StringIO(),
        )


@pytest.fixture
def shelf(bright_salt: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of that of the bundled models: `general` is trainable, `salt` is not."""
    shelf = tmp_path / "shipped"
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    source = bundle.load(tmp_path / "first")
    monkeypatch.setattr(parity, "MAX_FLIPPED", 1)
    monkeypatch.setattr(weights_file, "LARGE", 50)
    monkeypatch.setattr(shared_weights, "LARGE", 50)
    for name in ("general", "salt"):
        export_bundle(
            *(source, "onnx", shelf / name),
            images=images(),
            data="noise",
            half=True,
            trainable=name == "general",
            name=name,
        )
    monkeypatch.setattr("diapir.bundle.places.resources.files", lambda package: shelf)
    return shelf


@pytest.mark.usefixtures("shelf")
def test_a_run_starts_from_a_bundled_model_and_what_it_predicts(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    said = io.StringIO()
    config = tiny("train.epochs=1", "train.start=general", "optimizer.lr=1e-12")
    train(config, bright_salt, tmp_path / "second", stream=said)
    assert "Started from general" in said.getvalue()
    tiles = load_tiles(bright_salt)
    held_out = Split.load(tmp_path / "second" / "split.json").part("val")
    chosen = [tiles.image(tiles.ids.index(tile)) for tile in held_out]
    exported, started = (
        Predictor.load(model, EngineOptions(device="cpu"))
        for model in ("general", tmp_path / "second")
    )
    assert exported.engine.name == "onnxruntime on cpu"
    found, expected = started.probabilities(chosen), exported.probabilities(chosen)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.usefixtures("shelf")
def test_an_export_without_weights_names_the_models_that_have_them(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="which PyTorch cannot run or train") as caught:
        train(tiny("train.start=salt"), bright_salt, tmp_path / "run", stream=io.StringIO())
    assert caught.value.expected.endswith("of the bundled models: general")
    assert not (tmp_path / "run" / "best").exists()


def test_another_preprocessing_is_said(bright_salt: Path, tiny: Recipe, tmp_path: Path) -> None:
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    said = io.StringIO()
    config = tiny("train.epochs=1", f"train.start={tmp_path / 'first'}", "preprocess.pad=edge")
    train(config, bright_salt, tmp_path / "second", stream=said)
    assert "it was trained with preprocess.pad = " in said.getvalue()
    assert ", this run has edge" in said.getvalue()
