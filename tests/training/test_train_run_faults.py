"""Trainings whose disk fills up at any moment."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from diapir.config import RunConfig
from diapir.errors import DeviceError
from diapir.training import train
from diapir.training.session import Session
from tests.helpers.contents import Files, files
from tests.helpers.faults import completes_when_full, forks


def kept(parent: Path) -> Files:
    """What two trainings share: all but the log, and the hashes of states, which hold times."""
    return {
        name: hash_
        for name, hash_ in files(parent).items()
        if not name.endswith(("log.txt", "manifest.json"))
    }


@forks
def test_a_full_disk_is_named_and_the_same_call_goes_on(
    tmp_path: Path, bright_salt: Path, tiny: Callable[..., RunConfig]
) -> None:
    config = tiny("train.epochs=1")
    full = completes_when_full(
        tmp_path,
        lambda parent: train(
            config, bright_salt, parent / "run", resume=True, stream=io.StringIO()
        ),
        step=9,
        named=lambda parent: str(parent / "run"),
        kept=kept,
    )
    assert full > 2


def test_a_gpu_with_too_little_memory_is_explained_and_the_checkpoint_stays(
    tmp_path: Path,
    bright_salt: Path,
    tiny: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(session: Session, *_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(Session, "step", full)
    with pytest.raises(DeviceError, match="Tried to allocate") as caught:
        train(tiny("train.epochs=1"), bright_salt, tmp_path / "run", stream=io.StringIO())
    assert "--batch" in caught.value.fix
    assert (tmp_path / "run" / "last").is_dir()
