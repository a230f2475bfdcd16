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
import yaml

from diapir.cli import trained as measuring
from diapir.cli.contest import Contest
from diapir.config import config_diff, load_recipe
from diapir.errors import ConfigError, RunError
from diapir.evaluation import Evaluation
from diapir.inference import latency
from diapir.tiles import Split, synthesise
from tests.cli.conftest import RunCli
from tests.training.conftest import TINY, write_bright_salt


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure within this process, as shortly as may be."""
    monkeypatch.setattr(latency, "SECONDS", 0.0)

    def here(run: Path, config: Any, images: Any) -> Any:
        return measuring._measure(run, config.device.name, config.device.threads, images)

    monkeypatch.setattr(measuring, "_measure_apart", here)


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bright_salt(tmp_path_factory.mktemp("compare") / "bright")


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recipes: `small` and `large`, and `broken`, which cannot be built."""
    folder = tmp_path_factory.mktemp("recipes")
    changes: dict[str, dict[str, Any]] = {
        "small": {},
        "large": {"model": {"name": "unet", "base": 4, "levels": 2}},
        "broken": {"preprocess": {"size": 34}},
    }
    for name, change in changes.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(TINY | {"name": name} | change))
    return folder


def named(recipes: Path, *names: str) -> str:
    return ",".join(str(recipes / f"{name}.yaml") for name in names)


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
    assert twin["kaggle_map_verdict"] == "no difference shown"
    assert twin["kaggle_map_difference"] == twin["kaggle_map_difference_high"] == 0
    # U-Net of base 2: 2 levels, 3 → 2 channels
    assert row["parameters"] == twin["parameters"] > 1000
    assert 0 < row["latency_tile_ms"] < row["latency_batch_ms"]
    assert row["peak_memory_mb"] is None  # nobody watched these trainings
    assert row["epochs"] == row["best_epoch"] == 1

    assert done.answer == json.loads((out / "compare.json").read_text())["result"]
    with (out / "leaderboard.csv").open(newline="") as stream:
        assert [line["model"] for line in csv.DictReader(stream)] == ["tiny", "other"]
    assert "| tiny |" in (out / "leaderboard.md").read_text("utf-8")
    page = (out / "report.html").read_text("utf-8")
    assert "The same tiles, seen by every model" in page

    # the same runs again, looked at in another way
    again = run_cli(*words, "--baseline", other, "--sort", "dice")
    assert again.code == 0, again.stderr
    assert "other" in again.stdout.partition("Against the baseline, ")[2].partition(",")[0]


def test_without_data_there_are_no_overlays(
    run_cli: RunCli, trained: Path, other: Path, tmp_path: Path, quick: None
) -> None:
    out = tmp_path / "out"
    done = run_cli("compare", trained, other, "--out", out)
    assert done.code == 0, done.stderr
    assert "--data PATH, the tiles these runs were trained on, adds their overlays" in done.stdout
    assert "seen by every model" not in (out / "report.html").read_text("utf-8")


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
    assert f"{run} cannot be compared with {trained}: they were judged on" in done.stderr
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
    assert f"{len(train) + 1} tiles to learn from and {len(train)}" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["RUN"], "1 runs were given to compare"),
        (["RUN", "RUN"], "a run is named twice"),
        (["RUN", "nowhere"], "nowhere is no run folder"),
        (["RUN", "OTHER", "--baseline", "linknet"], "no model is called 'linknet'"),
        (["RUN", "OTHER", "--budget", "5m", "--seeds", "2"], "--budget, --seeds say how to train"),
        (["RUN", "--recipes", "baseline,demo", "--data", "x"], "trained already"),
        (["--recipes", "baseline,demo"], "--recipes was given without --data"),
        (["--recipes", "baseline", "--data", "x"], "--recipes names 1"),
        (["--recipes", "baseline,baseline", "--data", "x"], "two recipes are called baseline"),
        (["--recipes", "baseline,basline", "--data", "x"], "did you mean 'baseline'"),
        (
            ["--recipes", "baseline,demo", "--data", "x", "--set", "train.bach=1"],
            "did you mean 'batch'",
        ),
        (["--recipes", "baseline,demo", "--data", "TILES", "--baseline", "unet"], "no model"),
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
    assert "no evaluation can be read from" in done.stderr


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
    def stop(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(measuring, "_measure_apart", stop)
    done = run_cli("compare", trained, other, "--out", tmp_path / "out")
    assert done.code == 143
    assert "the same command continues" in done.stderr


# ── trainings ────────────────────────────────────────────────────────────────────────────────


def contest(recipes: str, tiles: Path, out: Path, **options: Any) -> Contest:
    usual = {"budget_s": None, "epochs": None, "seeds": 1, "overrides": ()}
    return Contest(recipes.split(","), data=tiles, out=out, **(usual | options))


def test_all_are_trained_by_one_split_and_the_next_seeds(
    recipes: Path, tiles: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    found = contest(
        *(named(recipes, "small", "large"), tiles, out),
        **{"seeds": 2, "epochs": 7, "overrides": ["track.trackers=[tensorboard]"]},
    )
    trainings = found._trainings
    assert [one.run.name for one in trainings] == [
        *("small-seed42", "large-seed42", "small-seed43", "large-seed43")
    ]
    for training in trainings:
        words = list(training.words)
        config = load_recipe(words[1], words[words.index("--set") + 1 :: 2])
        assert config.seed == training.seed
        assert config.data.split == str((out / "split.json").absolute())
        assert config.data.mask_encoding == "grey8"
        assert config.train.epochs == 7
        assert config.track.trackers == ("tensorboard",)
    assert not out.exists()  # nothing is written before it is held
    with found.held():
        split = Split.load(out / "split.json")
    assert found.tiles.ids == tuple(sorted(split.part("val")))


def test_names_of_shipped_recipes_make_folders(tiles: Path, tmp_path: Path) -> None:
    found = contest("lite0/unet,lite0/linknet", tiles, tmp_path / "out")
    assert found.names == ("lite0/unet", "lite0/linknet")
    assert [one.run.name for one in found._trainings] == [
        "lite0-unet-seed42",
        "lite0-linknet-seed42",
    ]


def test_a_recipe_is_varied_by_its_own_keys_only(
    recipes: Path, tiles: Path, tmp_path: Path
) -> None:
    found = contest(
        *(named(recipes, "small"), tiles, tmp_path / "out"),
        **{
            "variations": ["no flip: augment.flip=none", "model.base=3 train.batch=2"],
            "overrides": ["augment.flip=alternate"],
        },
    )
    configs = {}
    for training in found._trainings:
        words = list(training.words)
        configs[training.model] = load_recipe(words[1], words[words.index("--set") + 1 :: 2])
    plain, still, wider = configs.values()
    assert list(configs) == [plain.name, still.name, wider.name] == list(found.names)
    assert still.name == "small, no flip"
    assert [config.augment.flip for config in configs.values()] == [
        "alternate",
        "none",
        "alternate",
    ]
    assert config_diff(plain, wider).keys() == {"model.base", "train.batch", "name"}
    with pytest.raises(ConfigError, match=r"unknown key 'augment\.flop'"):
        contest(
            *(named(recipes, "small"), tiles, tmp_path / "out"),
            **{"variations": ["augment.flop=none"]},
        )


def test_other_threads_for_one_are_refused(recipes: Path, tiles: Path, tmp_path: Path) -> None:
    both = f"{named(recipes, 'small')},baseline"
    with pytest.raises(ConfigError, match=r"device\.name: small cpu, baseline auto"):
        contest(both, tiles, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"device\.threads: small 1, baseline None") as caught:
        contest(both, tiles, tmp_path / "out", overrides=["device.name=cpu"])
    assert "--set device.threads=" in caught.value.fix


def test_two_commands_at_a_time_are_refused(recipes: Path, tiles: Path, tmp_path: Path) -> None:
    first, second = (
        contest(named(recipes, "small", "large"), tiles, tmp_path / "out") for _ in range(2)
    )
    with first.held(), pytest.raises(RunError, match="another `diapir compare`"), second.held():
        pass
    with second.held():
        pass


def test_a_changed_command_on_the_same_folder_is_shown(
    recipes: Path, tiles: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    both = named(recipes, "small", "large")
    with contest(both, tiles, out).held():
        pass
    contest(both, tiles, out)  # the same is welcome
    for options, told in (
        ({"seeds": 3}, "--seeds: 1 → 3"),
        ({"budget_s": 90.0}, "--budget: none → 90 s"),
        ({"epochs": 9}, "train.epochs of small: 3 → 9; train.epochs of large: 3 → 9"),
        ({"overrides": ["model.base=3"]}, "model.base of small: 2 → 3"),
    ):
        with pytest.raises(RunError) as caught:
            contest(both, tiles, out, **options)
        assert told in caught.value.found
    with pytest.raises(RunError, match="--recipes: small,large → large,small"):
        contest(named(recipes, "large", "small"), tiles, out)


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
        *("--recipes", named(recipes, "broken", "small", "large"), "--data", tiles),
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
    assert "the same command continues" in told
    entries = json.loads((out / "compare.json").read_text())["trainings"]
    assert entries["broken-seed42"]["state"] == "failed"
    assert entries["small-seed42"]["state"] in {"waiting", "done"}

    # the same command goes on
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
        judged = [Evaluation.load(run / "evaluation") for run in runs]
        mean = sum(one.metrics["dice"] for one in judged) / 2
        assert row["dice"] == pytest.approx(mean)
        splits = {Split.load(run / "split.json").hash for run in (*runs, out)}
        assert len(splits) == 1
        assert [load_recipe(run / "config.yaml").seed for run in runs] == [42, 43]
    assert "[6/6] large, seed 43: begins" in told
    page = (out / "report.html").read_text("utf-8")
    assert "seen by every model" in page
    assert "broken, seed 42" in page


@pytest.mark.slow
def test_fewer_than_two_models_are_nothing_to_compare(
    run_cli: RunCli, recipes: Path, tiles: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run_cli(
        *("compare", "--recipes", named(recipes, "small", "broken"), "--data", tiles),
        *("--out", out, "--epochs", 1, "--json"),
    )
    assert done.code == 2
    found = done.answer["error"]["found"]
    assert "only 1 of 2 models could be trained: broken, seed 42: preprocess.size = 34" in found
    assert not (out / "report.html").exists()
