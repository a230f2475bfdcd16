from __future__ import annotations

import json
from pathlib import Path

import pytest

from diapir import bundle
from diapir.evaluation import Evaluation
from diapir.tiles import Split, load_tiles
from tests.cli.conftest import RunCli


def test_a_run_folder_is_evaluated_and_explained(trained: Path, survey: Path) -> None:
    for name in ("config.yaml", "split.json", "metrics.csv", "log.txt", "report.html"):
        assert (trained / name).stat().st_size, name
    evaluation = Evaluation.load(trained / "evaluation")
    validation = load_tiles(survey).select(Split.load(trained / "split.json").part("val"))
    assert evaluation.data["part"] == "val"
    assert evaluation.data["hash"] == validation.hash
    assert evaluation.metrics["n_images"] == len(validation)


def test_the_bundle_carries_its_metrics(trained: Path) -> None:
    evaluation = Evaluation.load(trained / "evaluation")
    best = bundle.load(trained)
    assert best.info.metrics == evaluation.metrics | {"data": evaluation.data}
    assert f"{evaluation.metrics['dice']:.4f}" in (best.path / bundle.CARD).read_text("utf-8")


def test_train_says_how_good_it_is_and_where(
    run_cli: RunCli, survey: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = run_cli("train", "--recipe", tiny_recipe, "--data", survey, "--out", run)
    assert done.code == 0
    metrics = Evaluation.load(run / "evaluation").metrics
    low, high = metrics["ci95"]["soft_dice"]
    assert f"{metrics['soft_dice']:.4f}  (95% CI {low:.4f} to {high:.4f})" in done.stdout
    assert str(run / "best") in done.stdout
    assert str(run / "report.html") in done.stdout
    assert "Epoch [1/1], Batch [0/" in done.stdout


def test_a_model_trained_on_all_tiles_has_no_score(
    run_cli: RunCli, survey: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ("train", "--recipe", tiny_recipe, "--data", survey, "--out", run)
    done = run_cli(*words, "--set", "data.use_all=true")
    assert done.code == 0
    assert "none are held out" in done.stdout
    assert "soft Dice  " not in done.stdout
    assert not (run / "evaluation").exists()
    best = bundle.load(run)
    assert best.info.metrics == {}
    assert best.info.training["further tiles"] == "the validation part"
    assert "Not evaluated yet" in (best.path / bundle.CARD).read_text("utf-8")


def test_set_budget_resume_and_json(
    run_cli: RunCli, survey: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ("train", "--recipe", tiny_recipe, "--data", survey, "--out", run, "--json")
    changed = ("--set", "optimizer.lr=1e-3", "--set", "name=changed")
    first = run_cli(*words, *changed)
    assert first.code == 0
    assert first.answer["stopped"] == "epochs"
    assert first.answer["epochs"] == first.answer["best_epoch"] == 1
    assert "Epoch [1/1], Batch [0/" in first.stderr
    assert (
        first.answer["metrics"]
        == json.loads((run / "evaluation" / "evaluation.json").read_text("utf-8"))["metrics"]
    )
    info = bundle.load(run).info
    assert info.name == "changed"

    refused = run_cli(*words, *changed)
    assert refused.code == 2
    assert "--resume" in refused.answer["error"]["mend"]

    resumed = run_cli(*words, *changed, "--set", "train.epochs=99", "--resume", "--budget", "1s")
    assert resumed.code == 0
    assert resumed.answer["stopped"] == "budget"


def test_only_the_main_process_evaluates(
    run_cli: RunCli,
    survey: Path,
    tiny_recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from diapir import training

    run = tmp_path / "run"
    result = training.TrainResult(run, 1, 0.5, 1, "epochs")
    monkeypatch.setattr(training, "train", lambda *_, **__: result)
    monkeypatch.setenv("RANK", "1")
    done = run_cli("train", "--recipe", tiny_recipe, "--data", survey, "--out", run, "--json")
    assert done == (0, "", "")
    assert not run.exists()
