"""What a run does, and that it survives being stopped anywhere."""

import csv
import errno
import io
import itertools
import math
import os
import re
import shlex
import signal
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from diapir import bundle
from diapir.cli import main
from diapir.config import RunConfig, load_recipe, parse_config
from diapir.errors import BundleError, ConfigError, DeviceError, Interrupted, RunError, SplitError
from diapir.tiles import Split
from diapir.training import TrainResult, loop, session, train
from diapir.training.cursor import StepTerms
from diapir.training.session import Session
from diapir.training.stopping import Stopping
from diapir.training.validation import Validation
from tests.helpers.tiny import TINY, write_bright_salt

Recipe = Callable[..., RunConfig]
Weights = dict[str, torch.Tensor]


def last_state(run: Path) -> dict[str, Any]:
    """The newest resume state."""
    newest = max((run / "last").glob("state-*.pt"))
    state: dict[str, Any] = torch.load(newest, weights_only=True)
    return state


def last_weights(run: Path) -> Weights:
    """The network of the newest resume state."""
    weights: Weights = last_state(run)["network"]
    return weights


def assert_same_end(run: Path, other: Path) -> None:
    """Bit-identical weights, now and at the best epoch, and the same curves."""
    weights, others = last_weights(run), last_weights(other)
    assert all(torch.equal(weights[name], others[name]) for name in weights | others)
    best, other_best = bundle.load(run).tensors(), bundle.load(other).tensors()
    assert all(np.array_equal(best[name], other_best[name]) for name in best | other_best)
    rows, other_rows = curves(run), curves(other)
    assert rows == other_rows


def curves(run: Path) -> list[dict[str, str]]:
    """Rows of metrics.csv without what the clock decides."""
    with (run / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [
        {key: value for key, value in row.items() if key not in {"seconds", "tiles_per_s"}}
        for row in rows
    ]


def quietly(config: RunConfig, tiles: Path, run: Path, **options: object) -> TrainResult:
    return train(config, tiles, run, stream=io.StringIO(), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def undisturbed(
    bright_salt: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RunConfig, Path]:
    config = parse_config(TINY, source="tiny")
    run = tmp_path_factory.mktemp("runs") / "undisturbed"
    quietly(config, bright_salt, run)
    return config, run


def test_a_run_leaves_all_that_the_folder_promises(undisturbed: tuple[RunConfig, Path]) -> None:
    config, run = undisturbed
    assert {path.name for path in run.iterdir() if not path.name.startswith(".")} == {
        "config.yaml",
        "split.json",
        "metrics.csv",
        "log.txt",
        "last",
        "best",
    }
    rows = curves(run)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())
    saved = bundle.load(run)
    assert saved.info.model == config.model
    assert saved.info.training["tiles"] == 18
    assert saved.info.tile == 30
    split = Split.load(run / "split.json")
    assert (len(split.part("train")), len(split.part("val"))) == (18, 6)


def test_the_log_reads_as_the_seed_does(undisturbed: tuple[RunConfig, Path]) -> None:
    log = (undisturbed[1] / "log.txt").read_text().splitlines()
    # 18 tiles in batches of 4, a line every 2 batches
    assert [line for line in log if line.startswith("Epoch [1/3], Batch [")][2].startswith(
        "Epoch [1/3], Batch [4/5], Loss: "
    )
    assert sum(line.startswith("Validation - Loss: ") for line in log) == 3
    assert any(line.startswith("New best model saved! Validation loss: ") for line in log)


def test_the_best_bundle_is_of_the_epoch_with_the_lowest_validation_loss(
    undisturbed: tuple[RunConfig, Path],
) -> None:
    rows = curves(undisturbed[1])
    best = min(rows, key=lambda row: float(row["val_loss"]))
    assert bundle.load(undisturbed[1]).info.training["epoch"] == int(best["epoch"])


def test_training_reaches_a_high_dice(bright_salt: Path, tmp_path: Path, tiny: Recipe) -> None:
    config = tiny("model.base=4", "train.epochs=25", "optimizer.lr=5e-3")
    quietly(config, bright_salt, tmp_path / "run")
    assert max(float(row["val_dice"]) for row in curves(tmp_path / "run")) > 0.9


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, signal.Signals], None]:
    """Have a signal come while the given step (from 1, over all of the process) is computed."""

    def arm(step: int, signum: signal.Signals) -> None:
        whole, count = Session.step, itertools.count(1)

        def stepped(self: Session, *args: object) -> StepTerms | None:
            if next(count) == step:
                os.kill(os.getpid(), signum)
            return whole(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(Session, "step", stepped)

    return arm


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 5, 8])  # the first, the last of an epoch, within one
def test_a_stopped_run_resumes_to_the_same_bits(
    bright_salt: Path,
    tmp_path: Path,
    undisturbed: tuple[RunConfig, Path],
    signal_at: Callable[[int, signal.Signals], None],
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    signum: signal.Signals,
) -> None:
    config, whole = undisturbed
    signal_at(step, signum)
    with pytest.raises(Interrupted, match="--resume") as stopped:
        quietly(config, bright_salt, tmp_path / "run")
    assert stopped.value.exit_code == 128 + signum
    monkeypatch.undo()
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "cache"))

    result = quietly(config, bright_salt, tmp_path / "run", resume=True)

    assert (result.epochs, result.stopped) == (3, "epochs")
    assert_same_end(tmp_path / "run", whole)


def test_a_stopped_run_with_a_best_model_says_how_to_evaluate_it(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    signal_at: Callable[[int, signal.Signals], None],
) -> None:
    signal_at(7, signal.SIGINT)  # in the second of two epochs
    with pytest.raises(Interrupted) as stopped:
        quietly(tiny("train.epochs=2"), bright_salt, tmp_path / "run")
    _, _, command = str(stopped.value).partition("evaluate the best model so far with: ")
    program, *words = shlex.split(command.partition("; resume with: ")[0])
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert (program, ended.value.code) == ("diapir", 0)
    assert (tmp_path / "run-evaluation" / "report.html").is_file()


def test_a_budget_that_is_too_short_for_an_epoch_is_named(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stopping, "left_s", 0.0)
    quietly(tiny("train.epochs=1"), bright_salt, tmp_path / "enough")
    log = (tmp_path / "enough" / "log.txt").read_text(encoding="utf-8")
    assert "The time budget is too short for one epoch: its 5 batches take about" in log
    quietly(tiny("train.epochs=1"), bright_salt, tmp_path / "short", budget_s=1e-6)
    log = (tmp_path / "short" / "log.txt").read_text(encoding="utf-8")
    assert "Time budget reached in epoch 1 (batch 1/5); no epoch is complete" in log


def test_the_command_in_the_message_resumes_the_run(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    signal_at: Callable[[int, signal.Signals], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "a run"
    signal_at(3, signal.SIGINT)
    with pytest.raises(Interrupted) as stopped:
        quietly(tiny("train.epochs=1"), bright_salt, run)
    found, _, command = str(stopped.value).partition("; resume with: ")
    assert found == "interrupted at epoch 1, batch 3/5; checkpoint saved"
    monkeypatch.undo()
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "cache"))

    program, *words = shlex.split(command)
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert (program, ended.value.code) == ("diapir", 0)
    assert "Resumed at epoch 1, batch 3/5" in (run / "log.txt").read_text()
    assert [row["epoch"] for row in curves(run)] == ["1"]


def test_a_budget_stops_cleanly_and_more_budget_continues_to_the_same_bits(
    bright_salt: Path,
    tmp_path: Path,
    undisturbed: tuple[RunConfig, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, whole = undisturbed
    asked = itertools.count(1)
    # asked before each epoch and after each of its steps but the last: the 8th is in epoch 2
    monkeypatch.setattr(Stopping, "over_budget", lambda self, reserve: next(asked) == 8)
    run = tmp_path / "run"

    result = quietly(config, bright_salt, run, budget_s=60)

    assert (result.stopped, result.epochs) == ("budget", 1)
    assert [int(row["epoch"]) for row in curves(run)] == [1, 2]
    assert bundle.load(run).info.training["epoch"] in {1, 2}
    monkeypatch.undo()
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "cache"))
    assert quietly(config, bright_salt, run, resume=True).stopped == "epochs"
    assert all(
        torch.equal(weights, last_weights(whole)[name])
        for name, weights in last_weights(run).items()
    )
    assert curves(run)[1:] == curves(whole)[1:]


def test_a_finished_run_resumes_to_its_own_result(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    first = quietly(tiny(), bright_salt, tmp_path / "run")
    weights = last_weights(tmp_path / "run")
    again = quietly(tiny(), bright_salt, tmp_path / "run", resume=True)
    assert again == first
    assert all(torch.equal(weights[name], last_weights(tmp_path / "run")[name]) for name in weights)
    longer = quietly(tiny("train.epochs=4"), bright_salt, tmp_path / "run", resume=True)
    assert longer.epochs == 4


def test_early_stopping_counts_epochs_without_a_better_loss(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0, 0.8, 0.9, 0.85, 0.9])
    monkeypatch.setattr(
        loop, "validate", lambda *args: Validation(next(losses), 0.1, 0.5, 0.5, 0.4, 0.3)
    )
    config = tiny("train.epochs=9", "train.early_stopping=3")

    result = quietly(config, bright_salt, tmp_path / "run")

    assert result == TrainResult(tmp_path / "run", 2, 0.8, 5, "early")
    assert "Early stopping triggered after 5 epochs." in (tmp_path / "run/log.txt").read_text()


def test_the_learning_rate_falls_on_a_plateau(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "validate", lambda *args: Validation(1.0, 0.1, 0.5, 0.5, 0.4, 0.3))
    quietly(tiny("train.epochs=4", "schedule.patience=1"), bright_salt, tmp_path / "run")
    rates = [float(row["lr"]) for row in curves(tmp_path / "run")]
    assert rates == pytest.approx([5e-4, 5e-4, 5e-4, 3.5e-4])


@pytest.fixture
def bad_steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[bool]], None]:
    """Have the loss be NaN at the steps where the iterator says so."""

    def arm(bad: Iterator[bool]) -> None:
        whole = session.loss_terms

        def spoilt(*args: object) -> object:
            terms = whole(*args)  # type: ignore[arg-type]
            if next(bad):
                return terms._replace(total=terms.total * math.nan)
            return terms

        monkeypatch.setattr(session, "loss_terms", spoilt)

    return arm


def test_a_step_that_is_not_finite_is_skipped_and_counted(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    bad_steps: Callable[[Iterator[bool]], None],
) -> None:
    bad_steps(itertools.chain([False, True, False], itertools.repeat(False)))
    quietly(tiny(), bright_salt, tmp_path / "run")
    assert [row["skipped_steps"] for row in curves(tmp_path / "run")] == ["1", "0", "0"]
    assert "batch 1: loss or gradient is not finite" in (tmp_path / "run/log.txt").read_text()


def test_three_bad_steps_lead_back_to_the_last_save_with_half_the_rate(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    bad_steps: Callable[[Iterator[bool]], None],
) -> None:
    # epoch 1 is good, then three bad steps in epoch 2
    bad_steps(itertools.chain([False] * 6, [True] * 3, itertools.repeat(False)))
    result = quietly(tiny(), bright_salt, tmp_path / "run")
    assert result.epochs == 3
    assert [float(row["lr"]) for row in curves(tmp_path / "run")] == [5e-4, 2.5e-4, 2.5e-4]
    assert (
        "3 consecutive steps; rolled back to epoch 2, batch 0"
        in (tmp_path / "run/log.txt").read_text()
    )


def test_bad_steps_are_counted_beyond_an_epoch(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    bad_steps: Callable[[Iterator[bool]], None],
) -> None:
    # two steps an epoch
    bad_steps(itertools.chain([False, True, True, True], itertools.repeat(False)))
    quietly(tiny("train.batch=9"), bright_salt, tmp_path / "run")
    assert (
        "3 consecutive steps; rolled back to epoch 2, batch 0"
        in (tmp_path / "run/log.txt").read_text()
    )


def test_a_validation_loss_that_is_not_finite_is_never_saved(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = loop.validate
    validations = itertools.count(1)

    def validate(*words: Any) -> Validation:
        validation = genuine(*words)
        return replace(validation, loss=math.nan) if next(validations) in broken else validation

    monkeypatch.setattr(loop, "validate", validate)
    broken: Container[int] = {2}
    result = quietly(tiny(), bright_salt, tmp_path / "once")
    assert result.epochs == 3
    assert [row["epoch"] for row in curves(tmp_path / "once")] == ["1", "2", "3"]
    log = (tmp_path / "once/log.txt").read_text()
    assert "validation loss is not finite; rolled back to epoch 2, batch 0" in log

    broken = range(1, 10**6)
    for budget in (None, 1e-3):
        validations = itertools.count(1)
        with pytest.raises(RunError, match=r"not finite after 3|no validation loss was finite"):
            quietly(tiny(), bright_salt, tmp_path / f"ever{budget}", budget_s=budget)
        assert not (tmp_path / f"ever{budget}" / "best").exists()


def test_a_loss_that_stays_nan_ends_the_run_and_keeps_the_last_good_state(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    bad_steps: Callable[[Iterator[bool]], None],
) -> None:
    bad_steps(itertools.chain([False] * 5, itertools.repeat(True)))
    with pytest.raises(RunError, match="not finite after 3 rollbacks"):
        quietly(tiny(), bright_salt, tmp_path / "run")
    assert all(bool(tensor.isfinite().all()) for tensor in last_weights(tmp_path / "run").values())
    assert bundle.load(tmp_path / "run").info.training["epoch"] == 1


@pytest.mark.parametrize("saved", [3, 9, 15, 21, 27])
def test_a_disk_that_fills_up_keeps_the_last_good_state(
    bright_salt: Path,
    tmp_path: Path,
    undisturbed: tuple[RunConfig, Path],
    monkeypatch: pytest.MonkeyPatch,
    saved: int,
) -> None:
    """The disk is full after so many files; wherever that is, nothing saved is lost."""
    config, whole = undisturbed
    run = tmp_path / "run"
    sync, count = os.fsync, itertools.count(1)

    def full_later(descriptor: int) -> None:
        if next(count) > saved:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full_later)
    with pytest.raises((RunError, BundleError, SplitError), match="No space left"):
        quietly(config, bright_salt, run)
    monkeypatch.undo()
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "cache"))

    quietly(config, bright_salt, run, resume=True)

    assert_same_end(run, whole)


def test_a_size_that_the_network_cannot_halve_is_refused(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    with pytest.raises(ConfigError, match=r"preprocess\.size=36"):
        quietly(tiny("preprocess.size=33"), bright_salt, tmp_path / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    with pytest.raises(DeviceError, match="'cuda' was requested"):
        quietly(tiny("device.name=cuda"), bright_salt, tmp_path / "run")


def test_tiles_that_changed_are_refused_at_resume(
    tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = write_bright_salt(tmp_path / "tiles")
    quietly(tiny("train.epochs=1"), tiles, tmp_path / "run")
    first, second = sorted((tiles / "images").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(SplitError, match="changed"):
        quietly(tiny(), tiles, tmp_path / "run", resume=True)


def test_folds_and_given_splits_are_used(bright_salt: Path, tmp_path: Path, tiny: Recipe) -> None:
    quietly(tiny("train.epochs=1", "data.folds=4", "data.fold=2"), bright_salt, tmp_path / "folds")
    split = tmp_path / "folds" / "split.json"
    given = tiny("train.epochs=1", f"data.split={split}", "seed=5")
    quietly(given, bright_salt, tmp_path / "given")
    assert (tmp_path / "given" / "split.json").read_bytes() == split.read_bytes()
    assert len(Split.load(split).part("val")) == 6


def test_tiles_of_several_sizes_train(tmp_path: Path, tiny: Recipe) -> None:
    tiles = write_bright_salt(tmp_path / "tiles")
    for part in ("images", "masks"):
        path = tiles / part / "tile001.png"
        Image.open(path).crop((0, 0, 26, 22)).save(path)
    quietly(tiny("train.epochs=1"), tiles, tmp_path / "run")
    assert len(curves(tmp_path / "run")) == 1


@pytest.mark.parametrize("option", ["device.precision=bf16", "device.channels_last=true"])
def test_precision_and_memory_format_change_little(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    undisturbed: tuple[RunConfig, Path],
    option: str,
) -> None:
    quietly(tiny(option), bright_salt, tmp_path / "run")
    for row, other in zip(curves(tmp_path / "run"), curves(undisturbed[1]), strict=True):
        assert float(row["val_loss"]) == pytest.approx(float(other["val_loss"]), rel=0.05)


def test_a_chosen_precision_is_told_kept_and_resumed(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    run, recipe = tmp_path / "run", tiny("device.precision=auto", "train.epochs=1")
    quietly(recipe, bright_salt, run)
    assert load_recipe(run / "config.yaml").device.precision == "bf16"
    line = "Precision: bfloat16"
    assert (run / "log.txt").read_text().count(line) == 1
    # the same recipe, on a CPU that would choose otherwise
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    more = tiny("device.precision=auto", "train.epochs=2")
    quietly(more, bright_salt, run, resume=True)
    assert load_recipe(run / "config.yaml").device.precision == "bf16"
    assert (run / "log.txt").read_text().count(line) == 1


def test_an_epoch_of_some_steps_draws_other_tiles_each_time(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    run = tmp_path / "run"
    quietly(tiny("train.epoch_steps=2", "train.log_every=1"), bright_salt, run)
    log = (run / "log.txt").read_text()
    assert "Epoch [3/3], Batch [1/2]" in log
    assert "Batch [2/" not in log
    losses = re.findall(r"Batch \[0/2\], Loss: (\S+),", log)
    assert len(set(losses)) == 3


RICH = (
    "model={name: halite, encoder: test_efficientnet, levels: 3, widths: [6, 4], dropout: 0.1}",
    "augment={flip: alternate, shift: 0.1, scale: 0.2, rotate: 5, brightness: 0.1, cutout: 0.5}",
    "loss={ce: [1, 0], dice: 0, lovasz: [0, 1], ramp: [0.2, 0.6], empty: 0.1, deep: 0.1}",
    "schedule={name: one_cycle, warmup: 0.3}",
    "train.ema=0.9",
    "train.select=kaggle_map",
    "train.progressive=[[0.5, 16]]",
)


@pytest.mark.parametrize(("optimizer", "step"), [("adamw", 10), ("muon", 4)])
def test_a_rich_recipe_resumes_to_the_same_bits(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    signal_at: Callable[[int, signal.Signals], None],
    monkeypatch: pytest.MonkeyPatch,
    optimizer: str,
    step: int,
) -> None:
    config = tiny(*RICH, f"optimizer.name={optimizer}")
    quietly(config, bright_salt, tmp_path / "whole")
    signal_at(step, signal.SIGTERM)
    with pytest.raises(Interrupted):
        quietly(config, bright_salt, tmp_path / "run")
    monkeypatch.undo()
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path / "cache"))

    quietly(config, bright_salt, tmp_path / "run", resume=True)

    assert_same_end(tmp_path / "run", tmp_path / "whole")
    averages = [last_state(tmp_path / run)["average"] for run in ("run", "whole")]
    assert averages[0]["updates"] == averages[1]["updates"] == 15
    for name, weights in averages[0]["network"].items():
        assert torch.equal(weights, averages[1]["network"][name])


def test_the_average_is_evaluated_and_saved(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    quietly(tiny("train.ema=0.9", "train.select=last"), bright_salt, tmp_path / "run")
    state = last_state(tmp_path / "run")
    best = bundle.load(tmp_path / "run").tensors()
    average = state["average"]["network"]
    assert all(np.array_equal(best[name], weights.numpy()) for name, weights in average.items())
    assert any(not torch.equal(state["network"][name], average[name]) for name in average)


def test_the_log_says_what_is_trained_from_what_and_when_the_rate_drops(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([1.0, 1.1, 0.9, 1.2])
    monkeypatch.setattr(
        loop, "validate", lambda *_: Validation(next(losses), 0.1, 0.5, 0.25, 0.2, 0.75)
    )
    config = tiny("train.epochs=4", "patience=0", "factor=0.5", "lr=0.01")
    run = tmp_path / "run"
    train(config, bright_salt, run, origin="recipe tiny, with lr", stream=io.StringIO())
    log = (run / "log.txt").read_text().splitlines()
    assert log[0].startswith(f"Configuration: recipe tiny, with lr, all keys in {run}/config.yaml")
    assert any(line.startswith("Optimiser: adamw, learning rate 0.01, ") for line in log)
    assert sum(line.startswith("Tracking: metrics.csv") for line in log) == 1
    drops = [line for line in log if line.startswith("Learning rate lowered")]
    assert drops == [  # none after the last epoch, which nothing follows
        "Learning rate lowered from 0.01 to 0.005 (factor 0.5): the validation loss has not "
        "improved in 1 epoch"
    ]
    scores = [line for line in log if line.startswith("Scores - ")]
    assert [line.split("; ")[2] for line in scores] == [
        "best: epoch 1, validation loss 1.0000",
        "best: epoch 1, validation loss 1.0000",
        "best: epoch 3, validation loss 0.9000",
        "best: epoch 3, validation loss 0.9000",
    ]
    assert ["LR: 1.00e-02" in line for line in scores] == [True, True, False, False]


@pytest.mark.parametrize(
    ("select", "kept", "stopped"), [("loss", 2, 5), ("kaggle_map", 3, 6), ("last", 5, 5)]
)
def test_select_decides_which_epoch_is_saved(
    bright_salt: Path,
    tmp_path: Path,
    tiny: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    select: str,
    kept: int,
    stopped: int,
) -> None:
    scores = iter(zip([1.0, 0.5, 0.7, 0.6, 0.8, 0.9], [0.1, 0.2, 0.4, 0.3, 0.4, 0.2], strict=True))

    def validate(*args: object) -> Validation:
        loss, kaggle_map = next(scores)
        return Validation(loss, 0.1, 0.5, 0.5, 0.4, kaggle_map)

    monkeypatch.setattr(loop, "validate", validate)
    config = tiny("train.epochs=9", "train.early_stopping=3", f"train.select={select}")

    result = quietly(config, bright_salt, tmp_path / "run")

    assert (result.best_epoch, result.epochs, result.stopped) == (kept, stopped, "early")
    assert bundle.load(tmp_path / "run").info.training["epoch"] == kept
    marked = [int(row["epoch"]) for row in curves(tmp_path / "run") if row["best"] == "1"]
    assert marked[-1] == kept
    log = (tmp_path / "run/log.txt").read_text()
    best = {"loss": "validation loss 0.5000", "kaggle_map": "Kaggle mAP 0.4000"}
    stands = best.get(select, "validation loss 0.8000 (the last is kept)")
    assert f"; best: epoch {kept}, {stands}" in log.splitlines()[-2]


def test_the_rate_follows_the_curve_to_its_end(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    config = tiny("schedule={name: one_cycle, warmup: 0.2}", "optimizer.lr=1e-3")
    quietly(config, bright_salt, tmp_path / "run")
    rates = [float(row["lr"]) for row in curves(tmp_path / "run")]
    # 15 steps, 3 of which rise; at the last of each epoch
    assert rates == pytest.approx([1e-3 * share for share in (11 / 12, 6 / 12, 1 / 12)])


@pytest.mark.parametrize("follows", [RICH[3], RICH[6], "loss={ce: [1, 0.5], ramp: [0, 1]}"])
def test_what_follows_the_steps_of_the_run_refuses_more_epochs(
    bright_salt: Path, tmp_path: Path, tiny: Recipe, follows: str
) -> None:
    quietly(tiny("train.epochs=1", follows), bright_salt, tmp_path / "run")
    with pytest.raises(RunError, match=r"train\.epochs: 1 → 2") as caught:
        quietly(tiny("train.epochs=2", follows), bright_salt, tmp_path / "run", resume=True)
    assert "train.epochs" not in caught.value.expected


def test_further_tiles_are_trained_on_named_and_may_not_change(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    extra = write_bright_salt(tmp_path / "extra", 30)
    own = {path.read_bytes() for path in (bright_salt / "images").iterdir()}
    shared = [path for path in (extra / "images").iterdir() if path.read_bytes() in own]
    for path in shared:
        Image.open(path).transpose(Image.Transpose.ROTATE_180).save(path)
    config = tiny("train.epochs=1", f"data.extra={extra}", "data.use_all=true")
    quietly(config, bright_salt, tmp_path / "run")
    training = bundle.load(tmp_path / "run").info.training
    assert training["tiles"] == 24 + 30
    assert training["further tiles"] == "the validation part and extra"
    log = (tmp_path / "run/log.txt").read_text()
    assert "Further tiles: extra, 30" in log
    assert "54 for training, 6 for validation" in log
    next((extra / "images").iterdir()).write_bytes(next(iter(own)))
    with pytest.raises(RunError, match="have changed since the run was started"):
        quietly(config, bright_salt, tmp_path / "run", resume=True)


def test_a_smaller_input_that_the_network_cannot_halve_is_refused(
    bright_salt: Path, tmp_path: Path, tiny: Recipe
) -> None:
    with pytest.raises(ConfigError, match=r"train\.progressive has 30 pixels"):
        quietly(tiny("train.progressive=[[0.5, 30]]"), bright_salt, tmp_path / "run")
