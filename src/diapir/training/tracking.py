"""Where the figures of a run go: metrics.csv always, TensorBoard and W&B where chosen.

metrics.csv is the truth: reports and resuming read it, and no tracker can hold up or end a run.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.errors import RunError

COLUMNS = (
    "epoch",
    "lr",
    "train_loss",
    "train_ce",
    "train_dice_loss",
    "train_soft_dice",
    "val_loss",
    "val_ce",
    "val_dice_loss",
    "val_soft_dice",
    "val_dice",
    "val_iou",
    "grad_norm_mean",
    "grad_norm_max",
    "skipped_steps",
    "tiles_per_s",
    "seconds",
    "best",
)
"""Columns of metrics.csv, one row an epoch; epochs count from 1, `best` is 0 or 1."""

INTEGERS = frozenset({"epoch", "skipped_steps", "best"})

Row = dict[str, float | int]


class Tracker(Protocol):
    """A service that draws curves and examples. It may raise: `Tracking` then goes on without."""

    name: str

    def epoch(self, row: Row) -> None:
        """Take the figures of an epoch."""

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Take the example tiles of an epoch."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs to continue here, JSON-able."""

    def finish(self, best: Path | None) -> None:
        """End, with the best bundle where there is one."""

    def abandon(self) -> None:
        """End after an error, waiting for nothing."""


class Tracking:
    """metrics.csv and the chosen trackers of one run; belongs to the main process.

    Args:
        run: the run folder; trackers write into folders of their own names in it.
        config: the run's configuration; `config.track` chooses.
        epochs_done: finished epochs that a resumed run builds on; rows of later ones are dropped.
        state: what `state` of the interrupted run returned.
        note: says a line to the person at the terminal.

    Raises:
        RunError: metrics.csv cannot be written, or is not one of these.
        MissingDependencyError: a chosen tracker is not installed.
    """

    def __init__(
        self,
        run: Path,
        config: RunConfig,
        *,
        epochs_done: int = 0,
        state: dict[str, Any] | None = None,
        note: Callable[[str], None],
    ) -> None:
        self._note = note
        self._metrics = MetricsFile(run / "metrics.csv", epochs_done=epochs_done)
        self._state = dict(state or {})
        self._trackers: list[Tracker] = []

    def epoch(self, row: Mapping[str, float | int]) -> None:
        """Record an epoch: exactly the keys of `COLUMNS`.

        Raises:
            RunError: metrics.csv cannot be written.
        """
        self._metrics.append(row)
        self._tell(lambda tracker: tracker.epoch(dict(row)))

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Draw the example tiles of an epoch.

        Args:
            epoch: the epoch, from 1.
            ids: names of the n tiles, the same in each epoch.
            images: uint8 (n, H, W), grey.
            masks: uint8 (n, H, W) of {0 background, 1 salt, 255 ignore}.
            probabilities: float32 (n, H, W) of salt, in [0, 1].
        """
        self._tell(lambda tracker: tracker.examples(epoch, ids, images, masks, probabilities))

    def state(self) -> dict[str, Any]:
        """What a resumed run passes as `state`, JSON-able, keyed by tracker."""
        self._tell(lambda tracker: self._state.update({tracker.name: tracker.state()}))
        return dict(self._state)

    def finish(self, best: Path | None) -> None:
        """End all trackers; the best bundle becomes a W&B artifact. Never waits for a server."""
        self._tell(lambda tracker: tracker.finish(best))
        self._trackers = []

    def _tell(self, message: Callable[[Tracker], object]) -> None:
        for tracker in list(self._trackers):
            try:
                message(tracker)
            except Exception as error:  # no tracker may end a run
                self._note(f"{tracker.name} failed ({error}); this run goes on without it.")
                self._trackers.remove(tracker)


class MetricsFile:
    """metrics.csv: whole rows only, each on the disk before the next epoch begins.

    Args:
        path: the file; started afresh where `epochs_done` is 0.
        epochs_done: rows of later epochs, and a line torn by a kill, are dropped.

    Raises:
        RunError: the file cannot be written, or has other columns.
    """

    def __init__(self, path: Path, *, epochs_done: int) -> None:
        self._path = path
        rows = read_metrics(path) if epochs_done and path.is_file() else []
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            if row["epoch"] <= epochs_done:
                writer.writerow(_cells(row))
        writing = path.with_name(f".{path.name}.writing")
        try:
            with writing.open("w", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
            os.replace(writing, path)
        except OSError as error:
            raise _write_error(path, error) from None

    def append(self, row: Mapping[str, float | int]) -> None:
        """Write one row and wait until it is on the disk.

        Raises:
            RunError: the file cannot be written.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(_cells(row))
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _write_error(self._path, error) from None


def read_metrics(path: Path) -> list[Row]:
    """The whole rows of a metrics.csv; a last line torn by a kill is passed over.

    Raises:
        RunError: the file cannot be read, or is not a metrics.csv of these columns.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines.pop()
        cells = list(csv.reader(lines))
        if not cells or tuple(cells[0]) != COLUMNS:
            raise ValueError("its first line does not name these columns")
        return [_row(line) for line in cells[1:]]
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read: {error}",
            expected="one row an epoch of " + ", ".join(COLUMNS),
            mend="restore the file, or start a new run with another --out",
        ) from None


def _row(cells: list[str]) -> Row:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"a line has {len(cells)} values")
    return {
        column: int(cell) if column in INTEGERS else float(cell)
        for column, cell in zip(COLUMNS, cells, strict=True)
    }


def _cells(row: Mapping[str, float | int]) -> list[str]:
    return [
        str(int(row[column])) if column in INTEGERS else repr(float(row[column]))
        for column in COLUMNS
    ]


def _write_error(path: Path, error: OSError) -> RunError:
    return RunError(
        f"{path} cannot be written: {error.strerror or error}",
        expected="a run folder that can be written, on a disk with room",
        mend="make room or mend the rights, then continue with --resume",
    )
