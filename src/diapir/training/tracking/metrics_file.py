"""metrics.csv of a run: one row an epoch, whole rows only, readable at any time."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

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
    "val_kaggle_map",
    "grad_norm_mean",
    "grad_norm_max",
    "skipped_steps",
    "tiles_per_s",
    "seconds",
    "best",
)
"""Columns of metrics.csv, one row an epoch; epochs count from 1, `best` is 0 or 1."""

LATER = frozenset({"val_kaggle_map"})
"""Columns that runs of earlier versions do not have; read as nan there."""

INTEGERS = frozenset({"epoch", "skipped_steps", "best"})

Row = dict[str, float | int]


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
        names = tuple(cells[0]) if cells else ()
        if names not in {COLUMNS, tuple(name for name in COLUMNS if name not in LATER)}:
            raise ValueError("its first line does not name these columns")
        return [_row(names, line) for line in cells[1:]]
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read: {error}",
            expected="one row an epoch of " + ", ".join(COLUMNS),
            fix="restore the file, or start a new run with another --out",
        ) from None


def _row(names: tuple[str, ...], cells: list[str]) -> Row:
    if len(cells) != len(names):
        raise ValueError(f"a line has {len(cells)} values")
    found = dict(zip(names, cells, strict=True))
    return {
        column: int(found[column]) if column in INTEGERS else float(found.get(column, "nan"))
        for column in COLUMNS
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
        fix="free space or fix the permissions, then run again with --resume",
    )
