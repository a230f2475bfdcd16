"""The live display of a run in a terminal: two bars, a line of figures, and the time left."""

from __future__ import annotations

import time

from rich.console import Console as Terminal
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from diapir.text import clock

REFRESH_SECONDS = 0.25
"""Least time between two drawings of the display; a batch may be much shorter."""

PACE_BATCHES = 50
"""Batches over which the pace is averaged, the latest weighing most."""


class LiveDisplay:
    """Two bars and the latest figures at the foot of a terminal, drawn from the first epoch on.

    Args:
        terminal: where to draw.
        epochs: the number of epochs of the whole run.
        batches: the number of batches of an epoch.
        best_loss: the best validation loss of a resumed run so far.
    """

    def __init__(
        self, terminal: Terminal, epochs: int, batches: int, best_loss: float | None
    ) -> None:
        self._terminal = terminal
        self._epochs = epochs
        self._batches = batches
        self._best = best_loss
        self._epoch = 1
        self._phase, self._done, self._total = "Batch", 0, batches
        self._figures: list[tuple[str, str]] = []
        self._clock = Clock(epochs, batches)
        self._drawn = 0.0
        # no drawing thread: it would compete with the training for the processor
        self._live = Live(
            console=terminal, get_renderable=self._draw, auto_refresh=False, transient=True
        )

    def start_epoch(self, epoch: int, batches_done: int) -> None:
        """Begin epoch `epoch` (from 1) of which `batches_done` batches are done."""
        self._epoch = epoch
        self._phase, self._done, self._total = "Batch", batches_done, self._batches
        self._clock.start_epoch(epoch, batches_done, time.monotonic())
        # only now, so that an error before the first epoch finds the cursor where it was
        self._live.start()
        self._refresh(force=True)

    def batch(
        self, batch: int, loss: float, ce: float, dice: float, tiles_per_s: float, lr: float | None
    ) -> None:
        """Show the figures of a finished batch (from 0)."""
        self._done = batch + 1
        self._clock.batch(self._done, time.monotonic())
        self._figures = [
            ("Loss", f"{loss:.4f}"),
            ("CE", f"{ce:.4f}"),
            ("Soft Dice", f"{dice:.4f}"),
            ("Tiles/s", f"{tiles_per_s:.1f}" if tiles_per_s < 100 else f"{tiles_per_s:.0f}"),
        ]
        if lr is not None:
            self._figures.append(("LR", f"{lr:.1e}"))
        self._refresh()

    def validating(self, done: int, total: int) -> None:
        """Show that `done` of `total` batches of the validation part are done."""
        self._phase, self._done, self._total = "Validation", done, total
        self._clock.tick(time.monotonic())
        self._refresh(force=done in (0, total))

    def best(self, val_loss: float) -> None:
        """Show a new best validation loss."""
        self._best = val_loss
        self._refresh(force=True)

    def line(self, line: str, style: str) -> None:
        """Put a permanent line above the display."""
        self._terminal.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Take the display away and give the cursor back."""
        self._live.stop()

    def _refresh(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._live.refresh()

    def _draw(self) -> Group:
        bars = Table.grid(padding=(0, 1), expand=True)
        bars.add_column(no_wrap=True, style="bold", min_width=len("Validation"))
        bars.add_column(no_wrap=True, justify="right")
        bars.add_column(ratio=1)
        bars.add_column(no_wrap=True, style="cyan", justify="right")
        bars.add_row(
            "Epoch",
            f"{self._epoch}/{self._epochs}",
            ProgressBar(total=self._epochs, completed=self._clock.epochs_done),
            f"{clock(self._clock.run_left)} left",
        )
        bars.add_row(
            self._phase,
            f"{self._done}/{self._total}",
            ProgressBar(total=max(self._total, 1), completed=self._done),
            f"{clock(self._clock.epoch_left)} left",
        )
        return Group(bars, *self._foot())

    def _foot(self) -> list[Text]:
        """The figures, on as many lines as the terminal's width asks for; none is torn."""
        figures = list(self._figures)
        if self._best is not None:
            figures.append(("Best", f"{self._best:.4f}"))
        lines: list[Text] = []
        for name, value in figures:
            figure = Text.assemble((name, "dim"), f" {value}", no_wrap=True, overflow="ellipsis")
            if lines and lines[-1].cell_len + len("  ") + figure.cell_len <= self._terminal.width:
                lines[-1].append("  ").append_text(figure)
            else:
                lines.append(figure)
        return lines


class Clock:
    """Foretells the time left of an epoch and of the run from the pace of late.

    Times are seconds of one monotonic clock.

    Args:
        epochs: the number of epochs of the whole run.
        batches: the number of batches of an epoch.
    """

    def __init__(self, epochs: int, batches: int) -> None:
        self._epochs = epochs
        self._batches = batches
        self._epoch, self._done = 1, 0
        self._now = 0.0
        self._last_batch: float | None = None
        self._seen = 0
        self._per_batch = 0.0
        self._between_epochs = 0.0

    def start_epoch(self, epoch: int, batches_done: int, now: float) -> None:
        """Begin epoch `epoch` (from 1) of which `batches_done` batches are done."""
        if self._last_batch is not None:
            self._between_epochs = now - self._last_batch
        self._epoch, self._done = epoch, batches_done
        self._now, self._last_batch = now, None

    def batch(self, done: int, now: float) -> None:
        """Note that `done` batches of the epoch are done."""
        self._done = done
        self._seen += 1
        since_last = now - self._now
        self._per_batch += (since_last - self._per_batch) / min(self._seen, PACE_BATCHES)
        self._now = self._last_batch = now

    def tick(self, now: float) -> None:
        """Note the time after the epoch's last batch, while the validation part is judged."""
        self._now = now

    @property
    def epochs_done(self) -> float:
        """Epochs that are done, with the share of the present one."""
        return self._epoch - 1 + self._done / self._batches

    @property
    def epoch_left(self) -> float | None:
        """Seconds until the next epoch can begin; None before the first batch."""
        if not self._seen:
            return None
        since_last = 0.0 if self._last_batch is None else self._now - self._last_batch
        return self._per_batch * (self._batches - self._done) + max(
            self._between_epochs - since_last, 0.0
        )

    @property
    def run_left(self) -> float | None:
        """Seconds until the last epoch is over; early stopping is not foreseen."""
        if self.epoch_left is None:
            return None
        whole_epoch = self._per_batch * self._batches + self._between_epochs
        return self.epoch_left + whole_epoch * (self._epochs - self._epoch)
