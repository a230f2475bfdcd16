"""The live display of a run in a terminal: two progress bars, the latest metrics, the time left."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console as Terminal
from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from diapir.training.cursor import StepTerms

REFRESH_SECONDS = 0.25
"""Shortest time between two drawings of the display; a batch may be much shorter."""

PACE_SECONDS = 3600.0
"""Time over which the pace is averaged, long enough to hold some validations."""

PACE_POINTS = 100
"""Points of an epoch at which its pace is measured; rich keeps the last 1000."""


class LiveDisplay:
    """Progress bars and the latest metrics at the foot of a terminal, from the first epoch on.

    Args:
        terminal: where to draw.
        epochs: the number of epochs of the whole run.
        batches: the number of batches of an epoch.
        best_loss: the best validation loss so far of a resumed run.
    """

    def __init__(
        self, terminal: Terminal, epochs: int, batches: int, best_loss: float | None
    ) -> None:
        self._terminal = terminal
        self._epochs = epochs
        self._batches = batches
        self._epoch = 1
        self._drawn = 0.0
        self._bars = _Bars(terminal, best_loss)
        self._run = self._bars.add_task("Epoch", total=epochs, shown=f"1/{epochs}")
        self._part = self._bars.add_task("Batch", total=batches, shown=f"0/{batches}")

    def start_epoch(self, epoch: int, batches_done: int) -> None:
        """Start epoch `epoch` (from 1) of which `batches_done` batches are done."""
        self._epoch = epoch
        self._bars.update(self._run, shown=f"{epoch}/{self._epochs}")
        self._begin("Batch", batches_done, self._batches)
        if not self._bars.live.is_started:
            self._bars.update(self._run, completed=self._epochs_done(batches_done))
            # only now, so that an error before the first epoch finds the terminal untouched
            self._bars.start()

    def batch(self, batch: int, terms: StepTerms, tiles_per_s: float, lr: float) -> None:
        """Show the metrics of a finished batch (from 0)."""
        done = batch + 1
        self._bars.update(self._part, completed=done, shown=f"{done}/{self._batches}")
        if done % max(1, self._batches // PACE_POINTS) == 0 or done == self._batches:
            self._bars.update(self._run, completed=self._epochs_done(done))
        self._bars.metrics = {
            "Loss": f"{terms.loss:.4f}",
            "CE": f"{terms.ce:.4f}",
            "Soft Dice": f"{terms.dice:.4f}",
            "Tiles/s": f"{tiles_per_s:.1f}" if tiles_per_s < 100 else f"{tiles_per_s:.0f}",
            "LR": f"{lr:.1e}",
        }
        self._refresh()

    def validating(self, done: int, total: int) -> None:
        """Show that `done` of `total` batches of the validation part are done."""
        if self._bars.tasks[-1].description != "Validation":
            self._begin("Validation", 0, total)
        self._bars.update(self._part, completed=done, shown=f"{done}/{total}")
        self._refresh(force=done == total)

    def scores(self, dice: float, kaggle_map: float) -> None:
        """Show the scores of the last validation."""
        self._bars.scores = {"Validation Dice": f"{dice:.4f}", "Kaggle mAP": f"{kaggle_map:.4f}"}
        self._refresh(force=True)

    def best(self, val_loss: float) -> None:
        """Show a new best validation loss."""
        self._bars.best = val_loss
        self._refresh(force=True)

    def line(self, line: str, style: str) -> None:
        """Print a permanent line above the display."""
        self._terminal.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the display and restore the cursor."""
        self._bars.stop()

    def _begin(self, part: str, done: int, total: int) -> None:
        self._drawn = time.monotonic()
        self._bars.reset(  # which draws as well
            self._part, description=part, completed=done, total=total, shown=f"{done}/{total}"
        )

    def _epochs_done(self, batches_done: int) -> float:
        return self._epoch - 1 + batches_done / self._batches

    def _refresh(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._bars.refresh()


class _Bars(Progress):
    """rich's progress bars with a line of metrics below them."""

    def __init__(self, terminal: Terminal, best: float | None) -> None:
        self._terminal = terminal  # rich draws once before it has its own
        self.metrics: dict[str, str] = {}
        self.scores: dict[str, str] = {}
        self.best = best
        super().__init__(
            TextColumn(
                "{task.description}",
                table_column=Column(no_wrap=True, min_width=len("Validation"), style="bold"),
            ),
            TextColumn("{task.fields[shown]}", table_column=Column(no_wrap=True, justify="right")),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, justify="right")),
            TextColumn("left", style="cyan", table_column=Column(no_wrap=True)),
            console=terminal,
            # no drawing thread, which would compete with the training for the processor
            auto_refresh=False,
            transient=True,
            expand=True,
            speed_estimate_period=PACE_SECONDS,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars and the metrics, as rich draws them."""
        yield self.make_tasks_table(self.tasks)
        metrics = self.metrics | ({} if self.best is None else {"Best": f"{self.best:.4f}"})
        yield from _lines(metrics | self.scores, self._terminal.width)


def _lines(metrics: dict[str, str], width: int) -> list[Text]:
    """Metrics on as many lines as the width needs, none of them wrapped."""
    lines: list[Text] = []
    for name, value in metrics.items():
        metric = Text.assemble((name, "dim"), f" {value}", no_wrap=True, overflow="ellipsis")
        if lines and lines[-1].cell_len + len("  ") + metric.cell_len <= width:
            lines[-1].append("  ").append_text(metric)
        else:
            lines.append(metric)
    return lines
