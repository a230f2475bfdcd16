from __future__ import annotations

import shutil
import typing
from pathlib import Path

import pytest

from diapir import bundle as bundles
from diapir.cli.predict import split_words
from diapir.cli.running import Running, model_line
from diapir.errors import DataError
from diapir.inference.engines.engine_options import EngineOptions
from tests.cli.conftest import RunCli


def test_options_of_the_command_line_are_the_engine_options() -> None:
    assert Running().options() == EngineOptions()
    ours, theirs = typing.get_type_hints(Running), typing.get_type_hints(EngineOptions)
    assert ours["engine"] == theirs["engine"]
    assert ours["tta"] == theirs["tta"]


@pytest.mark.parametrize(
    ("words", "models", "inputs"),
    [
        ("run images", ["run"], ["images"]),
        ("run/best images tile.png", ["run/best"], ["images", "tile.png"]),
        ("images", [], ["images"]),
        ("images tile.png", [], ["images", "tile.png"]),
        ("tile.png images", [], ["tile.png", "images"]),
        ("line.sgy tile.png", [], ["line.sgy", "tile.png"]),
        ("run,other images", ["run", "other"], ["images"]),
        ("a,b images", [], ["a,b", "images"]),
        ("gone images", ["gone"], ["images"]),
        ("salt images", ["salt"], ["images"]),
        ("weights.pth images", ["weights.pth"], ["images"]),
        ("broken images", ["broken"], ["images"]),
    ],
)
def test_the_first_word_is_a_model_unless_it_can_only_be_an_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    models: list[str],
    inputs: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("run/best", "images", "a,b", "broken"):
        Path(folder).mkdir(parents=True)
    for file in ("run/best/bundle.json", "broken/config.yaml", "tile.png", "line.sgy"):
        Path(file).touch()
    Path("weights.pth").touch()
    found = split_words([Path(word) for word in words.split()])
    assert found == ([Path(name) for name in models], [Path(name) for name in inputs])


def test_a_model_alone_has_nothing_to_mark(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    with pytest.raises(DataError, match="no input is given"):
        split_words([tmp_path])


@pytest.mark.parametrize("verb", ["evaluate", "tune"])
def test_the_model_in_use_is_named_with_how_it_runs(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path, verb: str
) -> None:
    words = [verb, trained, "--data", survey, "--tta", "flip"]
    words += ["--out", tmp_path / "tuned.json"] if verb == "tune" else ["--threshold", "0.25"]
    best, threshold = trained / "best", 0.5 if verb == "tune" else 0.25
    model = bundles.load(trained).info.name
    line = f"model: {model} ({best}); threshold {threshold:g}, TTA flip, torch on cpu"
    keep = tmp_path / "kept"
    shutil.copytree(best, keep)
    try:
        done = run_cli(*words)
        assert done.code == 0
        assert done.stdout.count(line) == 1
        (used,) = run_cli(*words, "--json").answer["models"]
    finally:  # tuning may have written into the shared run
        shutil.rmtree(best)
        shutil.copytree(keep, best)
    assert used["paths"] == [str(best)]
    assert (used["tta"], used["engine"]) == ("flip", "torch on cpu")


def test_several_models_are_named_as_one() -> None:
    used = {
        "names": ["a", "b"],
        "paths": ["runs/a", "runs/b"],
        "threshold": 0.52,
        "min_area": 60,
        "tta": "none",
        "engine": "onnxruntime on cpu",
    }
    assert model_line(used) == (
        "model: mean of 2 models: a (runs/a), b (runs/b); threshold 0.52, minimum size 60 px, "
        "no test-time augmentation, onnxruntime on cpu"
    )
