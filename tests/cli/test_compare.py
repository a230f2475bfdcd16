"""`diapir compare`: what it refuses, finished runs, and trainings from the first to the last."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from diapir.comparison import compare, measure
from diapir.comparison.state import begin, open_state
from diapir.comparison.trainings import TrainingQueue
from diapir.config import load_recipe
from diapir.errors import ConfigError, Interrupted, RunError
from diapir.evaluation import Evaluation
from diapir.inference import latency
from diapir.tiles import Split, load_tiles, synthesise
from tests.cli.conftest import RunCli
from tests.comparison.made import named, write_recipes
from tests.helpers.tiny import write_bright_salt


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure within this process, as quickly as possible."""
    monkeypatch.setattr(latency, "SECONDS", 0.0)
    monkeypatch.setattr(measure, "measure_apart", measure.measure)


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bright_salt(tmp_path_factory.mktemp("compare") / "bright")


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipes(tmp_path_factory.mktemp("recipes"))


@pytest.fixture(scope="session")
def other(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained run once more, as one of another recipe whose answers were worse."""
    run = Path(shutil.copytree(trained, tmp_path_factory.mktemp("runs") / "other"))
    _change_config(run, name="other")
    return run


def _change_config(run: Path, **values: object) -> None:
    config = load_recipe(run / "config.yaml").model_copy(update=values)
    (run / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")


# ── finished runs ────────────────────────────────────────────────────────────────────────────


def test_finished_runs_are_compared(
    run_cli: RunCli, trained: Path, other: Path, survey: Path, tmp_path: Path, quick: None
) -> None:
    out = tmp_path / "out"
    words = ("compare", trained, other, "--data", survey, "--out", out)
    done = run_cli(*words, "--json")
    assert done.code == 0, done.stderr

    metrics = Evaluation.load(trained / "evaluation").metrics
    row, twin = done.answer["leaderboard"]
    assert (row["model"], twin["model"]) == ("tiny", "other")
    for key in ("kaggle_map", "dice", "iou", "soft_dice"):
        assert row[key] == twin[key] == pytest.approx(metrics[key], abs=1e-12)
        found = [row[f"{key}_low"], row[f"{key}_high"]]
        assert found == pytest.approx(metrics["ci95"][key], abs=1e-12)
    assert row["kaggle_map_verdict"] == "baseline"
    assert twin["kaggle_map_verdict"] == "no verdict"
    assert "not better than predicting nothing" in twin["no_verdict"]
    empty = sum(tile.coverage == 0 for tile in Evaluation.load(trained / "evaluation").tiles)
    nothing = done.answer["predicts_nothing"]
    assert nothing["kaggle_map"] == empty / metrics["n_images"]
    assert twin["kaggle_map_difference"] == twin["kaggle_map_difference_high"] == 0
    # U-Net of base 2: 2 levels, 3 → 2 channels
    assert row["parameters"] == twin["parameters"] > 1000
    assert 0 < row["latency_tile_ms"] < row["latency_batch_ms"]
    assert row["peak_memory_mb"] is None  # nobody watched these trainings
    assert row["epochs"] == row["best_epoch"] == 1

    assert done.answer == json.loads((out / "compare.json").read_text())["result"]
    with (out / "leaderboard.csv").open(newline="") as stream:
        names = [line["model"] for line in csv.DictReader(stream)]
    assert names == ["tiny", "other", "predicts nothing"]
    assert "| tiny |" in (out / "leaderboard.md").read_text("utf-8")
    page = (out / "report.html").read_text("utf-8")
    assert "Predictions on the same tiles" in page
    assert f"diapir compare {trained} {other}" in page  # as it was typed, without --json

    # the same runs again, looked at in another way
    again = run_cli(*words, "--baseline", other, "--sort", "dice")
    assert again.code == 0, again.stderr
    assert "against the baseline other" in again.stdout


def test_without_data_there_are_no_overlays(
    run_cli: RunCli, trained: Path, other: Path, tmp_path: Path, quick: None
) -> None:
    out = tmp_path / "out"
    done = run_cli("compare", trained, other, "--out", out)
    assert done.code == 0, done.stderr
    assert "add --data PATH" in done.stdout
    assert "Predictions on the same tiles" not in (out / "report.html").read_text("utf-8")


def test_seeds_of_one_recipe_are_one_model(
    run_cli: RunCli, trained: Path, other: Path, tmp_path: Path, quick: None
) -> None:
    seed = Path(shutil.copytree(trained, tmp_path / "seed"))
    _change_config(seed, seed=77)
    done = run_cli("compare", trained, seed, other, "--out", tmp_path / "out", "--json")
    assert [row["seeds"] for row in done.answer["leaderboard"]] == [2, 1]
    alone = run_cli("compare", trained, seed, "--out", tmp_path / "alone", "--json")
    assert [row["model"] for row in alone.answer["leaderboard"]] == ["tiny", "seed"]
    assert [row["seeds"] for row in alone.answer["leaderboard"]] == [1, 1]


def test_runs_on_other_tiles_are_refused_and_the_difference_told(
    run_cli: RunCli, trained: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    synthesise(tmp_path / "elsewhere", tiles=20, seed=9)
    run = tmp_path / "run"
    assert (
        run_cli(
            *("train", "--recipe", tiny_recipe, "--data", tmp_path / "elsewhere", "--out", run)
        ).code
        == 0
    )
    done = run_cli("compare", trained, run, "--out", tmp_path / "out")
    assert done.code == 2
    assert f"{run} cannot be compared with {trained}: they were evaluated on" in done.stderr
    assert "tiles of survey, part val" in done.stderr
    assert "tiles of elsewhere, part val" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_split_with_other_tiles_to_learn_from_is_refused(
    run_cli: RunCli, trained: Path, other: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(other, tmp_path / "run"))
    split = Split.load(run / "split.json")
    train = split.parts["train"][1:]
    gone = split.parts["train"][0]
    tiles = {name: digest for name, digest in split.tiles.items() if name != gone}
    (run / "split.json").unlink()
    Split(split.parts | {"train": train}, tiles, 1, "holdout").save(run / "split.json")
    done = run_cli("compare", trained, run, "--out", tmp_path / "out")
    assert done.code == 2
    assert "their splits differ" in done.stderr
    assert f"{len(train) + 1} and {len(train)} training tiles" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["RUN"], "only 1 run was given"),
        (["RUN", "RUN"], "a run is named twice"),
        (["RUN", "nowhere"], "nowhere is not a run folder"),
        (["RUN", "OTHER", "--baseline", "linknet"], "unknown baseline 'linknet'"),
        (
            ["RUN", "OTHER", "--budget", "5m", "--seeds", "2"],
            "--budget, --seeds cannot be used without --recipes",
        ),
        (
            ["RUN", "--recipes", "baseline,demo", "--data", "x"],
            "cannot be used together with --recipes",
        ),
        (["--recipes", "baseline,demo"], "--recipes was given without --data"),
        (["--recipes", "baseline", "--data", "x"], "--recipes names 1 recipe"),
        (["--recipes", "baseline,baseline", "--data", "x"], "two recipes are named baseline"),
        (["--recipes", "baseline,basline", "--data", "x"], "did you mean 'baseline'"),
        (
            ["--recipes", "baseline,demo", "--data", "x", "--set", "train.bach=1"],
            "did you mean 'batch'",
        ),
        (
            ["--recipes", "baseline,demo", "--data", "TILES", "--baseline", "unet"],
            "unknown baseline 'unet'",
        ),
        (["--recipes", "baseline,demo", "--data", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_done_is_told_at_once(
    run_cli: RunCli,
    trained: Path,
    other: Path,
    tiles: Path,
    tmp_path: Path,
    words: list[str],
    told: str,
) -> None:
    names = {"RUN": str(trained), "OTHER": str(other), "TILES": str(tiles)}
    done = run_cli("compare", *(names.get(word, word) for word in words), "--out", tmp_path / "out")
    assert (done.code, done.stdout) == (2, "")
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_without_evaluation_is_refused(
    run_cli: RunCli, trained: Path, other: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(other, tmp_path / "run"))
    shutil.rmtree(run / "evaluation")
    done = run_cli("compare", trained, run, "--out", tmp_path / "out")
    assert done.code == 2
    assert f"the evaluation in {run / 'evaluation'} cannot be read" in done.stderr


def test_a_model_that_cannot_be_measured_is_listed(
    run_cli: RunCli, trained: Path, other: Path, tmp_path: Path, quick: None
) -> None:
    run = Path(shutil.copytree(other, tmp_path / "run"))
    (run / "best" / "model.safetensors").write_bytes(b"")
    done = run_cli("compare", trained, run, "--out", tmp_path / "out", "--json")
    assert done.code == 0
    (failure,) = done.answer["failures"]
    assert failure["name"] == "other, measuring"
    assert "model.safetensors" in failure["reason"]
    assert [row["latency_tile_ms"] is None for row in done.answer["leaderboard"]] == [False, True]


def test_a_stop_while_measuring(
    run_cli: RunCli, trained: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(measure, "measure_apart", stop)
    done = run_cli("compare", trained, other, "--out", tmp_path / "out")
    assert done.code == 143
    assert "run the same command again to resume" in done.stderr


# ── trainings ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons of recipes that end where the first training would start."""

    def stop(self: TrainingQueue) -> None:
        raise Interrupted(signal.SIGINT, "here")

    monkeypatch.setattr(TrainingQueue, "run", stop)


def begun(recipes: list[str], tiles: Path, out: Path, **options: Any) -> None:
    with pytest.raises(Interrupted, match="here"):
        compare(recipes=recipes, data=tiles, out=out, **options)


def test_the_folder_is_claimed_before_the_first_training(
    recipes: Path, tiles: Path, tmp_path: Path, untrained: None
) -> None:
    out = tmp_path / "out"
    begun(named(recipes, "small", "large"), tiles, out)
    assert {path.name for path in out.iterdir()} == {"compare.json", "split.json"}
    Split.load(out / "split.json").verify(load_tiles(tiles))


def test_a_changed_command_on_the_same_folder_is_shown(
    recipes: Path, tiles: Path, tmp_path: Path, untrained: None
) -> None:
    out = tmp_path / "out"
    both = named(recipes, "small", "large")
    begun(both, tiles, out)
    begun(both, tiles, out)  # the same is welcome
    for options, told in (
        ({"seeds": 3}, "--seeds: 1 → 3"),
        ({"budget_s": 90.0}, "--budget: none → 90 s"),
        ({"epochs": 9}, "train.epochs of small: 3 → 9; train.epochs of large: 3 → 9"),
        ({"overrides": ["model.base=3"]}, "model.base of small: 2 → 3"),
    ):
        with pytest.raises(RunError) as caught:
            compare(recipes=both, data=tiles, out=out, **options)
        assert told in caught.value.found
    with pytest.raises(RunError, match="--recipes: small,large → large,small"):
        compare(recipes=named(recipes, "large", "small"), data=tiles, out=out)


def test_a_folder_of_recipes_is_not_one_of_runs(
    recipes: Path, tiles: Path, tmp_path: Path, untrained: None, trained: Path, other: Path
) -> None:
    out = tmp_path / "out"
    begun(named(recipes, "small", "large"), tiles, out)
    with pytest.raises(RunError, match="RUN: None → "):
        compare([trained, other], out=out)
    state = begin(tmp_path / "runs", None, {"RUN": ["a", "b"]})
    state.path.parent.mkdir()
    state.save()
    with pytest.raises(RunError, match="--recipes: None → small,large"):
        compare(recipes=named(recipes, "small", "large"), data=tiles, out=tmp_path / "runs")


# ── from Python ──────────────────────────────────────────────────────────────────────────────


def test_runs_are_compared_from_python_in_silence(
    trained: Path, other: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    results = compare([str(trained), other], sort="dice")
    assert [one.name for one in results.standings] == ["tiny", "other"]
    first, second = results.standings
    assert (first.rank, first.difference, first.tied) == (1, None, False)
    assert second.difference is not None
    assert second.difference.value == 0
    assert second.tied
    assert results.standings is results.standings
    assert first.tile_ms is not None
    assert capsys.readouterr() == ("", "")


def test_recipes_need_a_folder(recipes: Path, tiles: Path) -> None:
    with pytest.raises(ConfigError, match="--recipes was given without --out"):
        compare(recipes=["demo", "baseline"], data=tiles)


def test_what_was_compared_before_is_kept(
    trained: Path, other: Path, quick: None, tmp_path: Path
) -> None:
    compare([trained, other], out=tmp_path)
    state = open_state(tmp_path)
    assert state is not None
    assert state.request == {"RUN": [str(run.resolve()) for run in (trained, other)]}


# ── from the first training to the last ──────────────────────────────────────────────────────


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "diapir", "compare", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


@pytest.mark.slow
def test_from_the_first_training_to_the_page(recipes: Path, tiles: Path, tmp_path: Path) -> None:
    """Two recipes with two seeds and one that fails: stopped, killed, continued, compared."""
    out = tmp_path / "out"
    words = (
        *("--recipes", ",".join(named(recipes, "broken", "small", "large")), "--data", tiles),
        *("--out", out, "--seeds", 2, "--set", "train.save_minutes=1e-6"),
    )

    # a SIGTERM while the second is training: it saves itself, and the command can be continued
    process = start(*words)
    while not (out / "runs" / "small-seed42" / "metrics.csv").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 143, told
    assert "run the same command again to resume" in told
    entries = json.loads((out / "compare.json").read_text())["trainings"]
    assert entries["broken-seed42"]["state"] == "failed"
    assert entries["small-seed42"]["state"] in {"waiting", "done"}

    # the same command resumes
    process = start(*words, "--json")
    answered, told = process.communicate(timeout=300)
    assert process.returncode == 0, told
    answer = json.loads(answered)

    # the baseline, the first, has failed, and the next takes its place
    assert answer["baseline"] == "small"
    assert {row["model"] for row in answer["leaderboard"]} == {"small", "large"}
    assert [failure["name"] for failure in answer["failures"]] == [
        "broken, seed 42",
        "broken, seed 43",
    ]
    assert "preprocess.size = 34 is not a multiple of 4" in answer["failures"][0]["reason"]
    assert all(row["seeds"] == 2 for row in answer["leaderboard"])
    assert all(row["peak_memory_mb"] > 50 for row in answer["leaderboard"])
    assert all(row["latency_tile_ms"] > 0 for row in answer["leaderboard"])
    for name, row in ((row["model"], row) for row in answer["leaderboard"]):
        runs = [out / "runs" / f"{name}-seed{seed}" for seed in (42, 43)]
        evaluated = [Evaluation.load(run / "evaluation") for run in runs]
        mean = sum(one.metrics["dice"] for one in evaluated) / 2
        assert row["dice"] == pytest.approx(mean)
        splits = {Split.load(run / "split.json").hash for run in (*runs, out)}
        assert len(splits) == 1
        assert [load_recipe(run / "config.yaml").seed for run in runs] == [42, 43]
    assert "[6/6] large, seed 43: starts" in told
    page = (out / "report.html").read_text("utf-8")
    assert "Predictions on the same tiles" in page
    assert "broken, seed 42" in page


@pytest.mark.slow
def test_fewer_than_two_models_are_nothing_to_compare(
    run_cli: RunCli, recipes: Path, tiles: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run_cli(
        *("compare", "--recipes", ",".join(named(recipes, "small", "broken")), "--data", tiles),
        *("--out", out, "--epochs", 1, "--json"),
    )
    assert done.code == 2
    found = done.answer["error"]["found"]
    assert "only 1 of 2 models could be trained: broken, seed 42: preprocess.size = 34" in found
    assert not (out / "report.html").exists()
