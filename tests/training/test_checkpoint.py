"""The resume state survives whatever interrupts its saving."""

import contextlib
import errno
import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest
import torch

from diapir.errors import RunError
from diapir.scratch import scratch_name
from diapir.training.checkpoint import MANIFEST, Checkpoints


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def checkpoints(tmp_path: Path, notes: list[str]) -> Checkpoints:
    return Checkpoints(tmp_path, notes.append)


def state(value: int) -> dict[str, object]:
    return {"weights": torch.full((50,), float(value)), "epoch": value}


def loaded_epoch(checkpoints: Checkpoints) -> int | None:
    found = checkpoints.load()
    if found is None:
        return None
    assert torch.equal(found["weights"], torch.full((50,), float(found["epoch"])))
    return int(found["epoch"])


def test_nothing_saved_loads_nothing(checkpoints: Checkpoints) -> None:
    assert checkpoints.load() is None


def test_the_newest_state_comes_back_and_two_are_kept(checkpoints: Checkpoints) -> None:
    for value in range(5):
        checkpoints.save(state(value))
    assert loaded_epoch(checkpoints) == 4
    assert len(list(checkpoints.folder.glob("*.pt"))) == 2


def test_a_changed_byte_is_found_and_the_state_before_loads(
    checkpoints: Checkpoints, notes: list[str]
) -> None:
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    newest = max(checkpoints.folder.glob("*.pt"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)

    assert loaded_epoch(checkpoints) == 1
    assert "has changed since it was saved" in notes[0]
    checkpoints.save(state(3))
    assert loaded_epoch(checkpoints) == 3


def test_no_state_that_reads_back_is_an_error_not_a_new_start(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(1))
    for path in checkpoints.folder.glob("*.pt"):
        path.write_bytes(b"")
    with pytest.raises(RunError, match="can be read back"):
        checkpoints.load()


def test_a_lost_manifest_is_an_error_not_a_new_start(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    (checkpoints.folder / MANIFEST).unlink()
    with pytest.raises(RunError, match="can be read back"):
        checkpoints.load()


class Killed(BaseException):
    """Stands for kill -9: nothing after it runs, no clean-up either."""


@pytest.mark.parametrize("survived", range(4))
def test_a_kill_between_any_two_renames_leaves_a_good_state(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    """Two saves make four renames; the kill comes before the rename after `survived`."""
    replace, done = os.replace, 0

    def replace_or_die(source: Path, target: Path) -> None:
        nonlocal done
        if done == survived:
            raise Killed
        done += 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_or_die)
    with contextlib.suppress(Killed):
        checkpoints.save(state(1))
        checkpoints.save(state(2))
    assert done == survived
    monkeypatch.undo()

    assert loaded_epoch(checkpoints) == (None if survived < 2 else 1)
    checkpoints.save(state(9))
    assert loaded_epoch(checkpoints) == 9


def test_a_full_disk_keeps_the_state_before(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.save(state(1))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"No space left(.|\n)*[kM]B free"):
        checkpoints.save(state(2))
    monkeypatch.undo()
    assert loaded_epoch(checkpoints) == 1
    assert not list(checkpoints.folder.glob(".*.writing"))


def test_files_of_others_in_the_folder_stay(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(0))
    copy = checkpoints.folder / "before-my-change.pt"
    copy.write_bytes(b"mine")
    (checkpoints.folder / ".ipynb_checkpoints").mkdir()
    for value in range(1, 4):
        checkpoints.save(state(value))
    assert copy.read_bytes() == b"mine"
    assert (checkpoints.folder / ".ipynb_checkpoints").is_dir()
    assert loaded_epoch(checkpoints) == 3
    assert len(list(checkpoints.folder.glob("state-*.pt"))) == 2


def test_scratch_of_a_killed_process_is_removed(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(0))
    name = scratch_name(checkpoints.folder / "state-000000.pt").name
    dead = name.replace(f"-{os.getpid()}-", "-999999999-")
    (checkpoints.folder / dead).write_bytes(b"torn")
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    assert not (checkpoints.folder / dead).exists()


def test_a_link_to_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "letter.txt").write_text("dear")
    run = tmp_path / "run"
    run.mkdir()
    (run / "last").symlink_to(documents)
    with pytest.raises(RunError, match="link"):
        Checkpoints(run, print).save(state(0))
    assert [path.name for path in documents.iterdir()] == ["letter.txt"]


def test_a_link_to_an_empty_folder_is_used(tmp_path: Path) -> None:
    disk, run = tmp_path / "disk", tmp_path / "run"
    disk.mkdir()
    run.mkdir()
    (run / "last").symlink_to(disk)
    checkpoints = Checkpoints(run, print)
    for value in range(3):
        checkpoints.save(state(value))
    assert loaded_epoch(checkpoints) == 2
    assert len(list(disk.iterdir())) == 3


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 nothing", pickle.dumps({"a": 1}), pickle.dumps(print), b"\x80"]
)
def test_a_file_that_is_no_checkpoint_is_refused_without_torchs_advice(
    checkpoints: Checkpoints, content: bytes
) -> None:
    checkpoints.save(state(1))
    (path,) = checkpoints.folder.glob("*.pt")
    path.write_bytes(content)
    entry = {"file": path.name, "number": 0, "sha256": hashlib.sha256(content).hexdigest()}
    (checkpoints.folder / MANIFEST).write_text(json.dumps({"states": [entry]}))
    with pytest.raises(RunError, match="is not a checkpoint") as refused:
        checkpoints.load()
    assert "weights_only" not in str(refused.value)


def test_a_checkpoint_of_something_else_is_refused(checkpoints: Checkpoints) -> None:
    refused = pytest.raises(RunError, match="does not fit its run: 'network' is missing")
    with refused, checkpoints.fitting():
        raise KeyError("network")
