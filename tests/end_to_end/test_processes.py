"""Several processes train as one does."""

import csv
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rows(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open(newline="") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_two_processes_give_the_curve_of_one(
    tmp_path: Path,
    tiny_recipe: Path,
    bright_salt: Path,
    diapir: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    options = ("--recipe", tiny_recipe, "--data", bright_salt, "--set", "optimizer.lr=5e-3")
    options += ("--set", "device.precision=fp32")
    alone = diapir("train", *options, "--out", tmp_path / "one")
    assert alone.returncode == 0, alone.stderr
    launcher = (
        *("-m", "torch.distributed.run", "--nproc-per-node", "2"),
        *("--master-addr", "127.0.0.1", "--master-port", str(free_port())),
    )

    together = diapir("train", *options, "--out", tmp_path / "two", launcher=launcher)

    assert together.returncode == 0, together.stderr
    log = (tmp_path / "two" / "log.txt").read_text()
    assert "2 processes" in log
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert len(one) == len(two) == 3
    for expected, found in zip(one, two, strict=True):
        for key in expected.keys() - {"seconds", "tiles_per_s"}:
            assert found[key] == pytest.approx(expected[key], rel=1e-3, abs=1e-5), key
    # only the main process prints, evaluates and reports
    assert together.stdout.count("New best model saved!") == log.count("New best model saved!")
    assert (tmp_path / "two" / "report.html").is_file()
