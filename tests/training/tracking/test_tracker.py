"""metrics.csv is the truth, and no tracker can end a run."""

import sys
from pathlib import Path
from typing import Any

import pytest

from diapir.config import RunConfig, TrackConfig
from diapir.errors import MissingDependencyError, RunError, install_command
from diapir.training.epoch_metrics import COLUMNS
from diapir.training.tracking import tensorboard_tracker
from diapir.training.tracking.metrics_file import read_metrics
from diapir.training.tracking.tracker import Tracking

HEADER = (
    "epoch,lr,train_loss,train_ce,train_dice_loss,train_soft_dice,val_loss,val_ce,val_dice_loss,"
    "val_soft_dice,val_dice,val_iou,val_kaggle_map,grad_norm_mean,grad_norm_max,"
    "skipped_steps,tiles_per_s,seconds,best"
)


def a_row(epoch: int, **values: float) -> dict[str, float | int]:
    figures = {column: 0.1 + number for number, column in enumerate(COLUMNS)}
    return {**figures, "epoch": epoch, "skipped_steps": 0, "best": epoch % 2, **values}


def track(run: Path, **options: Any) -> Tracking:
    return Tracking(run, RunConfig(), note=pytest.fail, **options)


def test_the_file_names_its_columns_before_the_first_epoch(tmp_path: Path) -> None:
    track(tmp_path)
    assert (tmp_path / "metrics.csv").read_text() == HEADER + "\n"


def test_every_epoch_is_one_row_that_is_on_the_disk_at_once(tmp_path: Path) -> None:
    tracking = track(tmp_path)
    for epoch in (1, 2, 3):
        tracking.epoch(a_row(epoch))
        lines = (tmp_path / "metrics.csv").read_text().splitlines()
        assert len(lines) == 1 + epoch
        assert lines[-1].startswith(f"{epoch},1.1,2.1,")
        assert lines[-1].endswith(f",{epoch % 2}")


def test_figures_come_back_to_the_last_bit(tmp_path: Path) -> None:
    row = a_row(1, val_loss=1 / 3, lr=5e-324, train_loss=float("inf"), best=1)
    track(tmp_path).epoch(row)
    assert read_metrics(tmp_path / "metrics.csv") == [row]


def test_a_resumed_run_drops_the_rows_after_what_it_builds_on(tmp_path: Path) -> None:
    tracking = track(tmp_path)
    for epoch in (1, 2, 3, 4):
        tracking.epoch(a_row(epoch))
    resumed = track(tmp_path, epochs_done=2)
    resumed.epoch(a_row(3, val_loss=0.25))
    rows = read_metrics(tmp_path / "metrics.csv")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[2]["val_loss"] == 0.25
    assert list(tmp_path.iterdir()) == [tmp_path / "metrics.csv"]


def test_rows_that_are_kept_keep_every_byte(tmp_path: Path) -> None:
    tracking = track(tmp_path)
    for epoch in (1, 2):
        tracking.epoch(a_row(epoch, val_loss=epoch / 3))
    before = (tmp_path / "metrics.csv").read_bytes()
    track(tmp_path, epochs_done=2)
    assert (tmp_path / "metrics.csv").read_bytes() == before


@pytest.mark.parametrize("missing", range(1, 60, 7))
def test_a_line_torn_by_a_kill_is_dropped(tmp_path: Path, missing: int) -> None:
    tracking = track(tmp_path)
    for epoch in (1, 2, 3):
        tracking.epoch(a_row(epoch))
    path = tmp_path / "metrics.csv"
    path.write_bytes(path.read_bytes()[:-missing])
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2]
    track(tmp_path, epochs_done=2).epoch(a_row(3))
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2, 3]


def test_a_file_of_nothing_but_zeros_after_a_power_cut_is_refused_plainly(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_bytes(b"\0" * 64 + b"\n")
    with pytest.raises(RunError, match=r"metrics\.csv cannot be read") as caught:
        track(tmp_path, epochs_done=2)
    assert "another --out" in caught.value.fix


def test_other_columns_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,loss\n1,0.5\n")
    with pytest.raises(RunError, match="does not name these columns"):
        track(tmp_path, epochs_done=1)
    assert (tmp_path / "metrics.csv").read_text() == "epoch,loss\n1,0.5\n"


def test_a_folder_that_cannot_be_written_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"metrics\.csv cannot be written: No such file"):
        track(tmp_path / "missing")


def test_a_lost_folder_is_a_plain_error_in_mid_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    tracking = track(run)
    run.rename(tmp_path / "moved")
    with pytest.raises(RunError, match=r"metrics\.csv cannot be written"):
        tracking.epoch(a_row(1))


def test_a_row_without_one_of_the_columns_is_refused_before_the_file_is_touched(
    tmp_path: Path,
) -> None:
    tracking = track(tmp_path)
    row = a_row(1)
    del row["val_iou"]
    with pytest.raises(KeyError, match="val_iou"):
        tracking.epoch(row)
    assert (tmp_path / "metrics.csv").read_text() == HEADER + "\n"


class Breaking:
    """Stands in for TensorBoard and fails where it is told to."""

    title = "Breaking"
    fails_at = ""
    calls: list[str]

    def __init__(self, run: Path, config: RunConfig, *, epochs_done: int) -> None:
        type(self).calls = []
        self.call("start")

    def call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fails_at:
            raise OSError(28, "No space\nleft on device")

    def epoch(self, row: object) -> None:
        self.call("epoch")

    def state(self) -> dict[str, Any]:
        return {"place": 7}

    def finish(self, best: object) -> None:
        self.call("finish")

    def abandon(self) -> None:
        self.call("abandon")


def run_with_breaking(
    run: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> tuple[list[str], Tracking]:
    monkeypatch.setattr(tensorboard_tracker, "TensorBoardTracker", Breaking)
    monkeypatch.setattr(Breaking, "fails_at", fails_at)
    notes: list[str] = []
    config = RunConfig(track=TrackConfig(trackers=("tensorboard",)))
    tracking = Tracking(run, config, note=notes.append)
    for epoch in (1, 2):
        tracking.epoch(a_row(epoch))
    tracking.finish(None)
    tracking.finish(None)
    assert len(read_metrics(run / "metrics.csv")) == 2
    return notes, tracking


@pytest.mark.parametrize(
    ("fails_at", "calls"),
    [
        ("start", ["start"]),
        ("epoch", ["start", "epoch", "abandon"]),
        ("finish", ["start", "epoch", "epoch", "finish", "abandon"]),
    ],
)
def test_a_tracker_that_fails_gets_one_note_and_no_further_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str, calls: list[str]
) -> None:
    notes, _ = run_with_breaking(tmp_path, monkeypatch, fails_at)
    assert len(notes) == 1
    assert "No space left on device" in notes[0]
    assert "continuing without it" in notes[0]
    assert Breaking.calls == calls


def test_a_tracker_that_works_is_told_all_and_its_state_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, tracking = run_with_breaking(tmp_path, monkeypatch, "")
    assert notes == []
    assert Breaking.calls == ["start", "epoch", "epoch", "finish"]
    assert tracking.state() == {"tensorboard": {"place": 7}}


def test_the_state_of_a_tracker_that_cannot_start_is_kept_for_the_next_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard_tracker, "TensorBoardTracker", Breaking)
    monkeypatch.setattr(Breaking, "fails_at", "start")
    config = RunConfig(track=TrackConfig(trackers=("tensorboard",)))
    state = {"tensorboard": {"place": 3}}
    tracking = Tracking(tmp_path, config, state=state, note=lambda line: None)
    assert tracking.state() == state


@pytest.mark.parametrize(
    ("tracker", "module"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")]
)
def test_a_tracker_that_is_not_installed_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: Any, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    config = RunConfig(track=TrackConfig(trackers=(tracker,)))
    with pytest.raises(MissingDependencyError, match=tracker) as caught:
        Tracking(tmp_path, config, note=pytest.fail)
    assert caught.value.fix == install_command("train")
