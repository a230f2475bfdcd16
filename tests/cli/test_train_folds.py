"""`diapir train --folds`, and its folder wherever a model may be given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir import bundle
from diapir.evaluation import Evaluation
from diapir.inference import open_models
from diapir.tiles import load_tiles
from tests.cli.conftest import RunCli


@pytest.fixture(scope="module")
def cv(survey: Path, tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trained folds."""
    from diapir.cli import main

    folder = tmp_path_factory.mktemp("folds") / "cv"
    words = ["train", "--recipe", str(tiny_recipe), "--data", str(survey), "--out", str(folder)]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--folds", "2"])
    assert ended.value.code == 0
    return folder


def test_every_tile_is_evaluated_by_the_fold_that_held_it_out(cv: Path, survey: Path) -> None:
    evaluation = Evaluation.load(cv / "evaluation")
    assert evaluation.data["part"] == "out of fold"
    assert evaluation.metrics["n_images"] == len(load_tiles(survey))
    assert "out of fold" in (cv / "report.html").read_text(encoding="utf-8")
    for fold in ("fold0", "fold1"):
        assert (cv / fold / "report.html").is_file()
        assert bundle.load(cv / fold).info.metrics["data"]["part"] == "val"


def test_the_folder_predicts_as_the_mean_of_its_models(
    run_cli: RunCli, cv: Path, survey: Path, tmp_path: Path
) -> None:
    image = next((survey / "images").iterdir())
    done = run_cli("predict", cv, image, "--out", tmp_path / "salt", "--json")
    assert done.code == 0
    with Image.open(tmp_path / "salt" / "probability" / f"{image.stem}.png") as picture:
        found = np.asarray(picture) / 65535
    runs = [cv / "fold0", cv / "fold1"]
    grey = load_tiles(survey).image(load_tiles(survey).ids.index(image.stem))
    each = [open_models([run]).probabilities([grey])[0] for run in runs]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=2e-5)


def test_the_folder_is_evaluated_and_tuned_out_of_fold(
    run_cli: RunCli, cv: Path, survey: Path, tmp_path: Path
) -> None:
    done = run_cli("evaluate", cv, "--data", survey, "--json")
    assert done.answer["data"]["part"] == "out of fold"
    assert done.answer["metrics"] == Evaluation.load(cv / "evaluation").metrics
    copy = tmp_path / "cv"
    shutil.copytree(cv, copy)
    tuned = run_cli("tune", copy, "--data", survey, "--out", tmp_path / "tuned.json")
    assert tuned.code == 0
    assert "each predicted by those of 2 runs that held it out" in tuned.stdout


def test_the_folder_is_exported_as_one_network(run_cli: RunCli, cv: Path, tmp_path: Path) -> None:
    done = run_cli("export", cv, "--to", "onnx", "--out", tmp_path / "one", "--json")
    assert done.code == 0
    assert len(bundle.load(tmp_path / "one").info.trainings) == 2


def test_the_folder_is_resumed_with_what_it_holds(
    run_cli: RunCli, cv: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "a cv"
    shutil.copytree(cv, copy)
    # as kills before the report of the first fold and in the evaluation of the second leave it
    (copy / "fold0" / "report.html").unlink()
    shutil.rmtree(copy / "fold1" / "evaluation")
    shutil.rmtree(copy / "evaluation")
    state = json.loads((copy / "folds.json").read_text())
    assert all(fold["stopped"] == "epochs" for fold in state["folds"])
    done = run_cli("train", "--resume", copy, "--json")
    assert done.code == 0
    assert [fold["run"] for fold in done.answer["folds"]] == [
        str(copy / "fold0"),
        str(copy / "fold1"),
    ]
    assert done.answer["metrics"] == Evaluation.load(cv / "evaluation").metrics
    assert (copy / "fold1" / "evaluation").is_dir()
    assert (copy / "fold0" / "report.html").is_file()


def test_ctrl_c_while_evaluating_says_how_to_resume(
    run_cli: RunCli, cv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diapir.comparison import evaluate_folds

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate_folds, "evaluate_models", interrupt)
    done = run_cli("train", "--resume", cv)
    assert done.code == 130
    assert f"interrupted while evaluating; resume with: diapir train --resume {cv}" in done.stderr


def test_folds_are_no_start(run_cli: RunCli, cv: Path, survey: Path, tmp_path: Path) -> None:
    words = ("--recipe", "finetune", "--init", cv, "--data", survey, "--out", tmp_path / "ft")
    done = run_cli("train", *words)
    assert done.code == 2
    assert "holds the models of several folds" in done.stderr
    assert f"such as {cv / 'fold0'}" in done.stderr
