"""A run's metrics.csv, read forgivingly: a report of what is there beats none."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig


@dataclass(frozen=True)
class History:
    """What was recorded after each epoch.

    Attributes:
        epochs: int (E,), counted from 1.
        columns: the columns of metrics.csv by name, each float64 (E,), nan where unknown.
        best_epoch: the epoch of the best model, None where no epoch was finished.
    """

    epochs: NDArray[np.int64]
    columns: dict[str, NDArray[np.float64]]
    best_epoch: int | None

    def __len__(self) -> int:
        return len(self.epochs)

    def column(self, name: str) -> NDArray[np.float64]:
        """A column, all nan where metrics.csv has none of that name."""
        return self.columns.get(name, np.full(len(self), np.nan))

    def at_best(self, name: str) -> float:
        """A column's value at the best epoch, nan where unknown."""
        if self.best_epoch is None:
            return float("nan")
        return float(self.column(name)[self.epochs == self.best_epoch][-1])

    def seconds(self) -> float:
        """Time of all epochs together, in seconds."""
        return float(np.nansum(self.column("seconds")))

    def ending(self, config: RunConfig | None) -> str:
        """How the run ended, in words, as far as its epochs tell."""
        if not len(self) or config is None:
            return ""
        last, patience = int(self.epochs[-1]), config.train.early_stopping
        if last >= config.train.epochs:
            return f"ran all of its {last} epochs"
        if patience and self.best_epoch and last - self.best_epoch >= patience:
            return f"stopped early: no better validation loss for {last - self.best_epoch} epochs"
        return (
            f"stopped after {last} of {config.train.epochs} epochs, by its time budget or by hand"
        )


def read_history(path: Path) -> History:
    """Read a metrics.csv; lines that are torn or without an epoch are passed over."""
    rows: list[dict[str, float]] = []
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            for line in csv.DictReader(stream):
                row = {name: _number(cell) for name, cell in line.items() if name}
                if row.get("epoch", 0) >= 1:
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
    """The last epoch marked as best, else the one of the lowest validation loss."""
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
