from __future__ import annotations

import json
from pathlib import Path

import pytest

from diapir import bundle
from diapir.evaluation import Evaluation
from diapir.evaluation.in_sections import saved_block
from diapir.tiles import Split, load_tiles
from tests.cli.conftest import RunCli
from tests.helpers.mosaics import squares, write_sections


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


def test_a_recipe_with_a_mosaic_is_evaluated_in_sections(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    tiles = load_tiles(survey)
    mosaic = write_sections(tmp_path / "mosaic", tiles, squares(tiles.ids))
    words = ["train", "--recipe", trained / "config.yaml", "--data", survey, "--json"]
    words += ["--set", f"data.mosaic={mosaic}", "--set", "data.mosaic_share=0.2"]
    done = run_cli(*words, "--out", tmp_path / "run")
    assert done.code == 0
    block = done.answer["in_sections"]
    assert block["n_tiles"] == done.answer["metrics"]["n_images"]
    assert "optimistic" not in done.stderr  # the split keeps sections whole
    info = bundle.load(tmp_path / "run").info
    assert info.metrics["in_sections"] == block
    assert "**In sections: Dice" in (tmp_path / "run/best/card.md").read_text(encoding="utf-8")
    assert saved_block(tmp_path / "run" / "evaluation") is not None
    assert "Dice in sections" in (tmp_path / "run/report.html").read_text(encoding="utf-8")

    # without validation tiles in the mosaic, the training still ends well
    content = json.loads((mosaic / "mosaic.json").read_text())
    train_part = set(Split.load(tmp_path / "run/split.json").part("train"))
    content["sections"] = [
        each for each in content["sections"] if each["tiles"][0]["id"] in train_part
    ]
    (mosaic / "mosaic.json").write_text(json.dumps(content))
    done = run_cli(*words, "--out", tmp_path / "other")
    assert done.code == 0
    assert "in_sections" not in done.answer
    assert "not evaluated in sections: no section of" in done.stderr


def interrupted(run: Path) -> None:
    """Leave a finished run as an interrupted one, which lacks its second epoch."""
    text = (run / "config.yaml").read_text(encoding="utf-8")
    assert "epochs: 1\n" in text
    (run / "config.yaml").write_text(text.replace("epochs: 1\n", "epochs: 2\n"), encoding="utf-8")


@pytest.fixture
def begun(
    run_cli: RunCli,
    survey: Path,
    tiny_recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A run with one of two epochs, started with a relative path from another folder."""
    monkeypatch.chdir(survey.parent)
    run = tmp_path / "a run"
    words = ("--recipe", tiny_recipe, "--data", survey.name, "--out", run, "--set", "name=begun")
    assert run_cli("train", *words).code == 0
    interrupted(run)
    monkeypatch.chdir(tmp_path)
    return run


@pytest.mark.parametrize(
    "words",
    [
        ("--resume", "a run"),
        ("a run", "--resume"),
        ("--resume", "--out", "a run"),
        ("--resume", "a run", "--out", "a run", "--set", "train.early_stopping=9"),
    ],
)
def test_a_run_is_resumed_by_its_name_alone(
    run_cli: RunCli, begun: Path, words: tuple[str, ...]
) -> None:
    done = run_cli("train", *words, "--json")
    assert done.code == 0
    assert done.answer["epochs"] == 2
    assert bundle.load(begun).info.name == "begun"
    assert "Resumed at epoch 2" in (begun / "log.txt").read_text(encoding="utf-8")


def test_resuming_with_an_equals_sign(run_cli: RunCli, begun: Path) -> None:
    done = run_cli("train", "--resume=a run", "--json")
    assert done.code == 0
    assert done.answer["epochs"] == 2


def test_tiles_that_have_moved_are_asked_for(
    run_cli: RunCli, begun: Path, survey: Path, tmp_path: Path
) -> None:
    config = begun / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(str(survey), "/gone/tiles"), encoding="utf-8")
    done = run_cli("train", "--resume", "a run")
    assert done.code == 2
    assert "are not at /gone/tiles any more" in done.stderr
    assert "fix:      diapir train --resume 'a run' --data PATH" in done.stderr
    moved = run_cli("train", "--resume", "a run", "--data", survey, "--json")
    assert moved.answer["epochs"] == 2
    assert str(survey) in config.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("runs/none", "--resume"), "runs/none is not a run folder"),
        (("runs/none",), "runs/none is given without an option"),
        (("--resume",), "no run is named"),
        (("--data", "tiles"), "--out is missing"),
        (("--data", "tiles", "--out", "run"), "--recipe is missing"),
        (("--recipe", "demo", "--out", "run"), "--data is missing"),
        (("--resume", "a", "--out", "b"), "--resume a and --out b are different folders"),
        (
            ("--recipe", "demo", "--data", "tiles", "--out", "run", "--init-head", "fresh"),
            "--init-head is given, but no model to start from",
        ),
        (
            ("--recipe", "finetune", "--data", "tiles", "--out", "run", "--init", "nowhere"),
            "no such model: nowhere",
        ),
    ],
)
def test_what_is_missing_is_named(
    run_cli: RunCli,
    words: tuple[str, ...],
    found: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_cli("train", *words)
    assert done.code == 2
    assert f"error: {found}" in done.stderr
    assert "fix:" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_training_starts_from_a_model(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    words = ["--recipe", "finetune", "--init", trained, "--data", survey, "--out", tmp_path / "ft"]
    settings = ["--init-head", "fresh", "--set", "train.epochs=1", "--set", "device.name=cpu"]
    done = run_cli("train", *words, *settings, "--json")
    assert done.code == 0
    assert f"Started from tiny ({trained / 'best'}): " in done.stderr
    info = bundle.load(tmp_path / "ft").info
    source = bundle.load(trained).info
    assert (info.model, info.preprocess) == (source.model, source.preprocess)
    assert info.training["newly initialised"] == "head"
    report = (tmp_path / "ft" / "report.html").read_text(encoding="utf-8")
    assert "Started from" in report


def test_tiles_may_be_named_in_the_recipe(
    run_cli: RunCli, tiny_recipe: Path, survey: Path, tmp_path: Path
) -> None:
    words = ("--recipe", tiny_recipe, "--out", tmp_path / "run", "--json")
    assert run_cli("train", *words, "--set", f"data.path={survey}").code == 0
