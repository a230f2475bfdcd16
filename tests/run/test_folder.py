"""A run folder belongs to one run and one process."""

import errno
import os
from collections import namedtuple
from pathlib import Path

import pytest

from diapir.config import RunConfig, load_recipe
from diapir.errors import ConfigError, RunError
from diapir.run.folder import (
    CONFIG,
    NOTED,
    RunFolder,
    noted_settings,
    run_config,
    saved_config,
)
from diapir.scratch import scratch_name

BASELINE = load_recipe("baseline")


def changed(*overrides: str) -> RunConfig:
    return load_recipe("baseline", overrides)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that was begun and left."""
    path = tmp_path / "runs" / "first"
    with RunFolder(path, resume=False) as folder:
        folder.save_config(BASELINE)
    return path


def test_a_new_folder_keeps_its_recipe_and_leaves_no_lock(run: Path) -> None:
    assert saved_config(run) == BASELINE
    assert {path.name for path in run.iterdir()} == {CONFIG}


def test_the_recipe_of_a_run_is_read_and_another_folder_is_refused(
    run: Path, tmp_path: Path
) -> None:
    assert run_config(run) == BASELINE
    assert saved_config(tmp_path) is None
    with pytest.raises(RunError, match=f"{tmp_path} is not a run folder"):
        run_config(tmp_path)


def test_two_processes_cannot_share_a_folder(run: Path) -> None:
    with (
        RunFolder(run, resume=True),
        pytest.raises(RunError, match=f"in use by process {os.getpid()} on "),
        RunFolder(run, resume=True),
    ):
        pass
    with RunFolder(run, resume=True):
        pass


def test_a_run_is_not_overwritten(run: Path) -> None:
    with pytest.raises(RunError, match="add --resume to resume it"), RunFolder(run, resume=False):
        pass


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("…")
    with pytest.raises(RunError, match="is not a run folder"), RunFolder(tmp_path, resume=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "…"
    file = tmp_path / "thesis.tex"
    with pytest.raises(RunError, match="is a file"), RunFolder(file, resume=False):
        pass


def test_a_folder_in_which_nothing_was_begun_is_left_as_it_was(tmp_path: Path) -> None:
    for given in (tmp_path / "new", tmp_path):
        with RunFolder(given, resume=False):
            assert given.is_dir()
        assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_cannot_be_read_back_is_a_plain_error(run: Path) -> None:
    (run / CONFIG).write_text("train: [")
    with RunFolder(run, resume=True) as folder, pytest.raises(ConfigError, match=CONFIG):
        folder.check_config(BASELINE)


def test_resuming_what_is_not_there_starts_anew(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "new", resume=True) as folder:
        assert folder.check_config(BASELINE) == []


def test_harmless_changes_are_named(run: Path) -> None:
    with RunFolder(run, resume=True) as folder:
        notes = folder.check_config(changed("train.epochs=60", "track.trackers=[]"))
    assert "train.epochs: 50 → 60" in notes[0]


@pytest.mark.parametrize(
    "override",
    ["optimizer.encoder_lr=1e-4", "model.base=32", "seed=1", "data.val_fraction=0.3"],
)
def test_a_change_that_moves_weights_is_refused(run: Path, override: str) -> None:
    with (
        RunFolder(run, resume=True) as folder,
        pytest.raises(RunError, match=override.split("=")[0] + ": .* → ") as caught,
    ):
        folder.check_config(changed(override))
    assert saved_config(run) == BASELINE
    assert f"--init {run}" in caught.value.fix


def test_a_learning_rate_may_change(run: Path) -> None:
    with RunFolder(run, resume=True) as folder:
        notes = folder.check_config(changed("optimizer.lr=1e-4", "schedule.patience=3"))
    assert "optimizer.lr: 0.0005 → 0.0001" in notes[0]
    assert noted_settings(BASELINE)["optimizer.lr"] == 5e-4
    assert noted_settings(BASELINE).keys() == set(NOTED)


def test_a_folder_that_cannot_be_written_is_found_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with (
        pytest.raises(RunError, match="Read-only file system"),
        RunFolder(tmp_path / "run", resume=False),
    ):
        pass


def test_too_little_space_is_found_before_the_start(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9 - 10**6, 10**6))
    with RunFolder(run, resume=True) as folder:
        folder.check_space(10**6)
        with pytest.raises(RunError, match=r"1\.0 MB free(.|\n)*2\.0 MB"):
            folder.check_space(2 * 10**6)


def test_a_kill_before_the_first_rename_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    torn = scratch_name(tmp_path / CONFIG).name.replace(f"-{os.getpid()}-", "-999999999-")
    (tmp_path / torn).write_text("half")
    with RunFolder(tmp_path, resume=True) as folder:
        folder.save_config(BASELINE)
    assert {path.name for path in tmp_path.iterdir()} == {CONFIG}
