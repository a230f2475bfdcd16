"""metrics.csv of a run, read leniently: a report shows whatever can be read.

Resuming reads it strictly (`diapir.training.tracking.metrics_file`), as a run must not continue
from a damaged file.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.text import plural

_MOST_EPOCHS = 2**53
"""From here on, not every whole number has a float of its own."""


@dataclass(frozen=True)
class History:
    """The metrics of each epoch.

    Attributes:
        epochs: int (E,), counted from 1.
        columns: the columns of metrics.csv by name, each float64 (E,), nan where unknown.
        best_epoch: the epoch of the best model; None where no epoch was completed.
    """

    epochs: NDArray[np.int64]
    columns: dict[str, NDArray[np.float64]]
    best_epoch: int | None

    def __len__(self) -> int:
        return len(self.epochs)

    def column(self, name: str) -> NDArray[np.float64]:
        """A column; all nan where metrics.csv does not have it."""
        return self.columns.get(name, np.full(len(self), np.nan))

    def at_best(self, name: str) -> float:
        """The value of a column at the best epoch; nan where unknown."""
        if self.best_epoch is None:
            return float("nan")
        return float(self.column(name)[self.epochs == self.best_epoch][-1])

    def seconds(self) -> float:
        """Total duration of all epochs in seconds."""
        return float(np.nansum(self.column("seconds")))

    def whole_epochs(self, tiles: int, batch: int) -> int:
        """Number of completed epochs: a time budget may have ended the last one early.

        Args:
            tiles: training tiles of an epoch.
            batch: tiles of a batch.
        """
        trained = self.column("tiles_per_s") * self.column("seconds")
        return int(np.count_nonzero(~(trained < tiles - 1.5 * batch)))  # where unknown, completed

    def ending(self, config: RunConfig | None) -> str:
        """How the run ended, in words, as far as its epochs show."""
        if not len(self) or config is None:
            return ""
        last, patience = int(self.epochs[-1]), config.train.early_stopping
        if last >= config.train.epochs:
            return f"completed all {plural(last, 'epoch')}"
        since = last - (self.best_epoch or last)
        if patience and since >= patience:
            return f"early stopping: no better validation loss for {plural(since, 'epoch')}"
        of_all = f"{last} of {plural(config.train.epochs, 'epoch')}"
        return f"stopped after {of_all}, by the time budget or manually"


def read_history(path: Path) -> History:
    """Read a metrics.csv; truncated lines and lines without an epoch are skipped."""
    rows: list[dict[str, float]] = []
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            for line in csv.DictReader(stream):
                row = {name: _number(cell) for name, cell in line.items() if name}
                if 1 <= row.get("epoch", 0) < _MOST_EPOCHS:
                    rows.append(row)
    except (OSError, csv.Error):
        rows = []
    names = {name for row in rows for name in row}
    columns = {
        name: np.array([row.get(name, np.nan) for row in rows], np.float64)
        for name in sorted(names)
    }
    epochs = columns.get("epoch", np.zeros(0)).astype(np.int64)
    return History(epochs, columns, _best_epoch(epochs, columns))


def _best_epoch(epochs: NDArray[np.int64], columns: dict[str, NDArray[np.float64]]) -> int | None:
    """The last epoch marked as best, else the epoch with the lowest validation loss."""
    marked = epochs[columns.get("best", np.zeros(len(epochs))) == 1]
    if len(marked):
        return int(marked[-1])
    losses = columns.get("val_loss", np.full(len(epochs), np.nan))
    return int(epochs[np.nanargmin(losses)]) if np.isfinite(losses).any() else None


def _number(cell: object) -> float:
    try:
        number = float(str(cell))
    except ValueError:
        return float("nan")
    return number if np.isfinite(number) else float("nan")
