"""metrics.csv of a run: one row per epoch, complete rows only, readable at any time."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from diapir.errors import RunError
from diapir.files import disk_errors, replace_file, unwritable
from diapir.run.folder import RESUME
from diapir.training.epoch_metrics import COLUMNS, METRICS, Row


class MetricsFile:
    """metrics.csv: complete rows only, each flushed to the disk before the next epoch starts.

    Args:
        path: the file; created anew where `epochs_done` is 0.
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
        try:
            replace_file(path, text.getvalue())
        except OSError as error:
            raise unwritable(path, error, RunError, fix=RESUME) from None

    def append(self, row: Row) -> None:
        """Write one row and wait until it is on the disk.

        Raises:
            RunError: the file cannot be written.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(_cells(row))
        with (
            disk_errors(self._path, RunError, fix=RESUME),
            self._path.open("a", encoding="utf-8", newline="") as file,
        ):
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())


def read_metrics(path: Path) -> list[Row]:
    """The complete rows of a metrics.csv; a last line torn by a kill is ignored.

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
            expected="one row per epoch with the columns " + ", ".join(COLUMNS),
            fix="restore the file, or train into another --out",
        ) from None


def _row(cells: list[str]) -> Row:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"a line has {len(cells)} values")
    return {
        metric.name: int(cell) if metric.whole else float(cell)
        for metric, cell in zip(METRICS, cells, strict=True)
    }


def _cells(row: Row) -> list[str]:
    return [
        str(int(row[metric.name])) if metric.whole else repr(float(row[metric.name]))
        for metric in METRICS
    ]
