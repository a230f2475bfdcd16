"""kill -9 in the middle of an adaptation: the same command ends in the same weights."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diapir import bundle
from tests.adaptation.made_pictures import write_pictures
from tests.helpers.tiny import small_bundle


@pytest.mark.slow
def test_a_killed_adaptation_ends_in_the_weights_of_the_undisturbed_one(
    tmp_path: Path,
    start: Callable[..., "subprocess.Popen[str]"],
    diapir: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    model = small_bundle(tmp_path / "model").path
    pictures = write_pictures(tmp_path / "pictures")
    words = ("adapt", pictures, "--labels", pictures, "--model", model)
    words += ("--steps", 200, "--threads", 1)
    whole, run = tmp_path / "whole", tmp_path / "killed"
    assert diapir(*words, "--out", whole).returncode == 0
    process = start(*words, "--out", run)
    while process.poll() is None and not (run / "last" / "manifest.json").exists():
        time.sleep(0.01)  # until the first stage has been saved
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (run / "best").exists()
    resumed = diapir(*words, "--out", run)
    assert resumed.returncode == 0
    assert "Resumed in stage" in resumed.stdout
    one, other = bundle.load(whole).tensors(), bundle.load(run).tensors()
    assert all(np.array_equal(one[name], other[name]) for name in one)
