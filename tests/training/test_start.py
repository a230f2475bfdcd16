"""A training that starts from the weights of an earlier one."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diapir import bundle
from diapir.bundle import weights_file
from diapir.config import RunConfig, load_recipe
from diapir.errors import BundleError, ConfigError
from diapir.exports import export_bundle, parity, shared_weights
from diapir.inference import EngineOptions, Predictor
from diapir.run.folder import CONFIG, run_config
from diapir.run.history import read_history
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
    with pytest.raises(ConfigError, match=r"model.base = 4, not 2") as caught:
        train(wider, bright_salt, tmp_path / "second", stream=io.StringIO())
    assert caught.value.fix.startswith("--set model.base=2, or --recipe finetune")
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


def test_a_fresh_head_is_initialised_anew_and_said(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    said = io.StringIO()
    settings = ("train.epochs=1", "optimizer.lr=1e-12", "train.start_head=fresh")
    second = tmp_path / "second"
    train(tiny(*settings), bright_salt, second, init=tmp_path / "first", stream=said)
    first, now = (bundle.load(run) for run in (tmp_path / "first", second))
    before, after = first.tensors(), now.tensors()
    same = {name for name in before if np.allclose(before[name], after[name], atol=1e-6)}
    assert {name for name in before if not name.startswith("head.")} <= same
    assert "head.weight" not in same
    assert "; newly initialised: head" in said.getvalue()
    assert now.info.training["newly initialised"] == "head"
    assert now.info.training["started from"] == "tiny"
    assert now.info.training["start weights hash"] == first.info.weights_sha256
    assert "newly initialised head" in (second / "best" / "card.md").read_text()


def test_a_recipe_without_architecture_takes_that_of_the_model(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    config = load_recipe("finetune", ["train.epochs=1", "track.trackers=[]", "device.name=cpu"])
    train(config, bright_salt, tmp_path / "second", init=tmp_path / "first", stream=io.StringIO())
    saved = run_config(tmp_path / "second")
    assert (saved.model, saved.preprocess) == (tiny().model, tiny().preprocess)
    assert saved.train.start == str(tmp_path / "first")
    assert saved.data.path == str(bright_salt)


def test_an_initialised_run_resumes_to_the_same_bits_without_its_start(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    train(tiny("train.epochs=1"), bright_salt, first, stream=io.StringIO())
    for name, epochs in (("whole", (2,)), ("parts", (1, 2))):
        for number in epochs:
            config = tiny(f"train.epochs={number}", f"train.start={first}")
            train(config, bright_salt, tmp_path / name, resume=True, stream=io.StringIO())
            if number < epochs[-1]:
                first.rename(tmp_path / "elsewhere")
    whole, parts = (bundle.load(tmp_path / name) for name in ("whole", "parts"))
    assert whole.info.weights_sha256 == parts.info.weights_sha256
    assert whole.info.training == parts.info.training


def test_validation_tiles_that_the_start_was_trained_on_are_counted(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    train(tiny("train.epochs=1"), bright_salt, first, stream=io.StringIO())

    def said(name: str, start: Path, *settings: str) -> str:
        stream = io.StringIO()
        config = tiny("train.epochs=1", *settings)
        train(config, bright_salt, tmp_path / name, init=start, stream=stream)
        return stream.getvalue()

    assert "optimistic" not in said("same", first)
    other = said("other", first, "data.split_seed=1")
    split, its = (Split.load(run / "split.json") for run in (first, tmp_path / "other"))
    count = len(set(split.part("train")) & set(its.part("val")))
    assert f"{first} was trained on {count} of the 6 validation tiles" in other
    assert f"--set data.split={first / 'split.json'}" in other
    alone = said("bundle", first / "best", "data.split_seed=1")
    assert f"was trained on {count} of the 6 validation tiles" in alone
    assert "--set data.split" not in alone
    assert "optimistic" not in said("kept", first / "best")


def test_a_new_learning_rate_is_taken_and_noted(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(tiny("train.epochs=1"), bright_salt, run, stream=io.StringIO())
    said = io.StringIO()
    config = tiny("train.epochs=2", "optimizer.lr=1e-4")
    train(config, bright_salt, run, resume=True, stream=said)
    note = "NOTE: changed on resuming: optimizer.lr: 0.0005 → 0.0001, from epoch 2"
    assert note in said.getvalue()
    assert note in (run / "log.txt").read_text()
    assert read_history(run / "metrics.csv").column("lr").tolist() == [5e-4, 1e-4]
    # the note stays with the run, and is not repeated as a change
    later = io.StringIO()
    train(tiny("train.epochs=3", "optimizer.lr=1e-4"), bright_salt, run, resume=True, stream=later)
    assert note in later.getvalue()
    assert "; optimizer.lr" not in bundle.load(run).info.training["changed on resuming"]


def test_a_new_learning_rate_survives_a_kill_before_the_next_checkpoint(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(tiny("train.epochs=1"), bright_salt, run, stream=io.StringIO())
    # what a killed process has done by then: the recipe is saved, and no checkpoint
    (run / CONFIG).write_text(run_config(run).to_yaml().replace("lr: 0.0005", "lr: 0.0001"))
    config = load_recipe(run / CONFIG, ["train.epochs=2"])
    train(config, bright_salt, run, resume=True, stream=io.StringIO())
    assert read_history(run / "metrics.csv").column("lr").tolist() == [5e-4, 1e-4]
