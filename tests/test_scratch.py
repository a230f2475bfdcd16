"""Scratch of ended processes is removed, and nothing of anybody else's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from diapir import scratch as scratch_module
from diapir.files import replace_file
from diapir.scratch import is_scratch, remove_folder, remove_stale, scratch_name
from tests.helpers.faults import forks, killed_at, moments
from tests.helpers.scratch import abandoned, scratch_of
from tests.test_files import content, linked


def test_scratch_names_are_hidden_unique_and_beside_the_file(tmp_path: Path) -> None:
    names = {scratch_name(tmp_path / "note.txt") for _ in range(50)}
    assert len(names) == 50
    for name in names:
        assert name.parent == tmp_path
        assert name.name.startswith(".note.txt.")
        assert f"-{os.getpid()}-" in name.name
        assert name.suffix == ".writing"


def test_scratch_of_an_ended_process_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    abandoned(path).write_text("half")
    folder = abandoned(path)
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "half.txt").write_text("half")
    replace_file(path, "whole")
    assert content(tmp_path) == {"out": "whole"}
    assert list(tmp_path.iterdir()) == [path]


def test_scratch_of_a_running_process_is_kept(tmp_path: Path) -> None:
    running = {scratch_of(tmp_path / "out", process) for process in (os.getpid(), os.getppid())}
    for scratch in running:
        scratch.write_text("half")
    remove_stale(tmp_path / "out")
    assert set(tmp_path.iterdir()) == running


@pytest.mark.parametrize(
    "name", [".out.writing", ".out.notes.writing", ".out.0badc0de-x-1.writing", "out.writing"]
)
def test_names_of_others_are_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("theirs")
    remove_stale(tmp_path / "out")
    assert content(tmp_path) == {name: "theirs"}


def test_scratch_of_another_name_is_kept(tmp_path: Path) -> None:
    other = abandoned(tmp_path / "out.csv")
    other.write_text("half")
    remove_stale(tmp_path / "out")
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize(("age_s", "kept"), [(60, True), (2 * 86_400, False)])
def test_scratch_of_another_host_is_removed_only_when_old(
    tmp_path: Path, age_s: float, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(scratch_module, "_HOST", "0badc0de")
        scratch = scratch_name(tmp_path / "out")
    scratch.write_text("half")
    then = time.time() - age_s
    os.utime(scratch, (then, then))
    remove_stale(tmp_path / "out")
    assert scratch.exists() is kept


@linked
def test_a_stale_link_is_removed_and_its_target_kept(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "a.txt").write_text("theirs")
    abandoned(tmp_path / "out").symlink_to(target)
    remove_stale(tmp_path / "out")
    assert list(tmp_path.iterdir()) == [target]
    assert content(target) == {"a.txt": "theirs"}


def test_a_missing_folder_has_nothing_stale(tmp_path: Path) -> None:
    remove_stale(tmp_path / "none" / "out")


# removal of folders


@forks
def test_a_killed_removal_is_completed_by_the_next(tmp_path: Path) -> None:
    kills = 0
    for moment in moments():
        folder = tmp_path / str(moment) / "grey"
        (folder / "c" / "0").mkdir(parents=True)
        for name in ("zarr.json", "c/0/0", "c/0/1"):
            (folder / name).write_text("a")
        killed = killed_at(moment, folder.parent, lambda folder=folder: remove_folder(folder))
        assert killed or not folder.exists()
        remove_folder(folder)
        assert list(folder.parent.iterdir()) == []
        if not killed:
            break
        kills += 1
    assert kills == 7  # the rename, three files and three folders


def test_a_folder_that_is_not_there_need_not_be_removed(tmp_path: Path) -> None:
    remove_folder(tmp_path / "none")
    assert not is_scratch("none")
