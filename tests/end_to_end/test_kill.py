"""kill -9 at any moment costs no more than the time since the last save."""

import csv
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from diapir import bundle


def weights(run: Path) -> dict[str, torch.Tensor]:
    newest = max((run / "last").glob("state-*.pt"))
    found: dict[str, torch.Tensor] = torch.load(newest, weights_only=True)["network"]
    return found


def curves(run: Path) -> list[list[str]]:
    with (run / "metrics.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    return [[row["epoch"], row["train_loss"], row["val_loss"], row["best"]] for row in table]


@pytest.mark.slow
def test_ten_kills_end_in_the_weights_of_the_undisturbed_run(
    tmp_path: Path,
    tiny_recipe: Path,
    bright_salt: Path,
    start: Callable[..., "subprocess.Popen[str]"],
    diapir: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    # a save after nearly every batch, so that kills hit saves, too
    options = (
        *("--recipe", tiny_recipe, "--data", bright_salt),
        *("--set", "train.epochs=40", "--set", "train.save_minutes=1e-6"),
    )
    whole, run = tmp_path / "whole", tmp_path / "killed"
    assert diapir("train", *options, "--out", whole).returncode == 0
    moments = random.Random(11)
    killed = 0
    for _ in range(10):
        process = start("train", *options, "--out", run, "--resume")
        newest = run / "last" / "manifest.json"
        before = newest.stat().st_mtime_ns if newest.exists() else 0
        while process.poll() is None and (
            not newest.exists() or newest.stat().st_mtime_ns == before
        ):
            time.sleep(0.002)  # until it has saved something in this life
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed == 10

    done = diapir("train", *options, "--out", run, "--resume")

    assert done.returncode == 0, done.stderr
    assert "Resumed at epoch" in done.stdout
    expected, found = weights(whole), weights(run)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert curves(run) == curves(whole)
    best, other = bundle.load(whole), bundle.load(run)
    assert best.info.weights_sha256 == other.info.weights_sha256
    assert not list(run.rglob("*.writing"))


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_saves_and_exits(
    tmp_path: Path,
    tiny_recipe: Path,
    bright_salt: Path,
    start: Callable[..., "subprocess.Popen[str]"],
    signum: signal.Signals,
    code: int,
) -> None:
    run = tmp_path / "run"
    process = start(
        *("train", "--recipe", tiny_recipe, "--data", bright_salt, "--out", run),
        *("--set", "train.epochs=100000"),
    )
    while not (run / "metrics.csv").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert f"resume with: diapir train --resume {run}" in out + err
    assert weights(run)
