"""What a person sees of a run: log.txt and plain lines, or a live display in a terminal.

Every line goes to log.txt. The same lines go to a stream that is no terminal. In a terminal the
lines of epochs stay above two bars, which show the batches that would otherwise flood it.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console as Terminal
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from diapir.errors import RunError

REFRESH_SECONDS = 0.1
"""Least time between two drawings of the display; a batch may be much shorter."""


class Console:
    """The lines and the display of a run. Use it as a context manager, or call `close`.

    Args:
        log: the log file; a resumed run appends to it, a new one starts it afresh.
        epochs: the number of epochs of the whole run.
        batches: the number of batches of an epoch.
        stream: where people look; a display is drawn where this is a terminal.
        resumed: whether the run continues an earlier one.
        best_loss: the best validation loss so far of a resumed run.

    Raises:
        RunError: the log cannot be written.
    """

    def __init__(
        self,
        log: Path,
        *,
        epochs: int,
        batches: int,
        stream: TextIO,
        resumed: bool = False,
        best_loss: float | None = None,
    ) -> None:
        self._log_path = log
        self._epochs = epochs
        self._batches = batches
        self._stream: TextIO | None = stream
        try:
            torn = resumed and _ends_within_a_line(log)
            self._log = log.open("a" if resumed else "w", encoding="utf-8", buffering=1)
            if torn:
                self._log.write("\n")
        except OSError as error:
            raise _log_error(log, error) from None
        self._display: _Display | None = None
        if stream.isatty():
            terminal = Terminal(file=stream, force_terminal=True)
            if not terminal.is_dumb_terminal:
                self._display = _Display(terminal, epochs, batches, best_loss)

    def __enter__(self) -> Console:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start_epoch(self, epoch: int, batches_done: int = 0) -> None:
        """Begin an epoch (from 1), or continue it after `batches_done` batches."""
        if self._display:
            self._display.start_epoch(epoch, batches_done)

    def batch(
        self,
        epoch: int,
        batch: int,
        *,
        loss: float,
        ce: float,
        dice_loss: float,
        dice: float,
        tiles_per_s: float,
        line: bool,
        lr: float | None = None,
    ) -> None:
        """Report a finished batch (from 0); `line` says whether it gets a line of the log.

        Args:
            epoch: the epoch, from 1.
            batch: the batch within the epoch, from 0.
            loss: the weighted loss.
            ce: cross entropy.
            dice_loss: 1 − soft Dice.
            dice: soft Dice, in [0, 1].
            tiles_per_s: tiles per second.
            line: whether this batch gets a line.
            lr: the learning rate, where it is to be shown.
        """
        if line:
            self._write(
                f"Epoch [{epoch}/{self._epochs}], Batch [{batch}/{self._batches}], "
                f"Loss: {loss:.4f}, CE: {ce:.4f}, Dice Loss: {dice_loss:.4f}, "
                f"Dice Score: {dice:.4f}",
                in_terminal=False,
            )
        if self._display:
            self._display.batch(batch, loss, ce, dice, tiles_per_s, lr)

    def train_epoch(
        self, epoch: int, *, loss: float, ce: float, dice_loss: float, dice: float
    ) -> None:
        """Report the means of an epoch's training."""
        self._write(
            f"Epoch [{epoch}/{self._epochs}] - Loss: {loss:.4f}, CE: {ce:.4f}, "
            f"Dice Loss: {dice_loss:.4f}, Dice Score: {dice:.4f}"
        )

    def validating(self, done: int, total: int) -> None:
        """Report that `done` of `total` batches of the validation part are done."""
        if self._display:
            self._display.validating(done, total)

    def validation(self, *, loss: float, ce: float, dice_loss: float) -> None:
        """Report the means over the validation part."""
        self._write(f"Validation - Loss: {loss:.4f}, CE: {ce:.4f}, Dice Loss: {dice_loss:.4f}")
        if self._display:
            self._display.end_epoch()

    def best(self, val_loss: float) -> None:
        """Report that a model better than all before was saved."""
        if self._display:
            self._display.best(val_loss)
        self._write(f"New best model saved! Validation loss: {val_loss:.4f}", style="green")

    def early_stopping(self, epochs: int) -> None:
        """Report that the run ends after `epochs` epochs for want of progress."""
        self._write(f"Early stopping triggered after {epochs} epochs.")

    def note(self, text: str) -> None:
        """Say something else that a person should know: one line."""
        self._write(text, style="yellow")

    def close(self) -> None:
        """Take the display away, give the cursor back, and close the log. May be repeated."""
        if self._display:
            self._display.close()
            self._display = None
        self._log.close()

    def _write(self, line: str, *, style: str = "", in_terminal: bool = True) -> None:
        try:
            self._log.write(line + "\n")
        except OSError as error:
            raise _log_error(self._log_path, error) from None
        if self._display:
            if in_terminal:
                self._display.line(line, style)
        elif self._stream:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except OSError:
                # nobody reads any more (`| head`, a lost session): the run goes on, log.txt has it
                self._stream = None


class _Display:
    """Two bars and a line of figures at the foot of a terminal."""

    def __init__(
        self, terminal: Terminal, epochs: int, batches: int, best_loss: float | None
    ) -> None:
        self._terminal = terminal
        self._epochs = epochs
        self._batches = batches
        self._epochs_done = 0
        self._figures: list[tuple[str, str]] = []
        self._best = best_loss
        self._phase = "Batch"
        self._done, self._total = 0, batches
        self._clock = Clock(epochs, batches)
        self._drawn = 0.0
        # no drawing thread: it would compete with the training for two cores
        self._live = Live(
            console=terminal, get_renderable=self._draw, auto_refresh=False, transient=True
        )

    def start_epoch(self, epoch: int, batches_done: int) -> None:
        self._epochs_done = epoch - 1
        self._phase, self._done, self._total = "Batch", batches_done, self._batches
        self._clock.start_epoch(epoch, batches_done, time.monotonic())
        # only now, so that an error before the first epoch finds the cursor where it was
        self._live.start()
        self._refresh(force=True)

    def batch(
        self, batch: int, loss: float, ce: float, dice: float, tiles_per_s: float, lr: float | None
    ) -> None:
        self._done = batch + 1
        self._clock.batch(batch + 1, time.monotonic())
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
        self._phase, self._done, self._total = "Validation", done, total
        self._clock.tick(time.monotonic())
        self._refresh(force=done in (0, total))

    def end_epoch(self) -> None:
        self._epochs_done += 1
        self._clock.end_epoch(time.monotonic())
        self._refresh(force=True)

    def best(self, val_loss: float) -> None:
        self._best = val_loss

    def line(self, line: str, style: str) -> None:
        self._terminal.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
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
        in_epoch = self._epochs_done < self._epochs
        epoch = min(self._epochs_done + 1, self._epochs)
        bars.add_row(
            "Epoch",
            f"{epoch}/{self._epochs}",
            ProgressBar(
                total=self._epochs,
                completed=self._epochs_done + in_epoch * self._clock.share_of_epoch,
            ),
            f"{duration(self._clock.run_left)} left",
        )
        bars.add_row(
            self._phase,
            f"{self._done}/{self._total}",
            ProgressBar(total=max(self._total, 1), completed=self._done),
            f"{duration(self._clock.epoch_left)} left",
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
    """Foretells the time left of an epoch and of the run from the pace so far.

    Times are seconds of one monotonic clock; an estimate that has no ground yet is None.

    Args:
        epochs: the number of epochs of the whole run.
        batches: the number of batches of an epoch.
    """

    def __init__(self, epochs: int, batches: int) -> None:
        self._epochs = epochs
        self._batches = batches
        self._epoch = 0
        self._first_batch = self._done = 0
        self._started = self._now = 0.0
        self._training_ended = 0.0
        self._per_batch: float | None = None
        self._after_training = 0.0
        self._ended = True

    def start_epoch(self, epoch: int, batches_done: int, now: float) -> None:
        """Begin epoch `epoch` (from 1) of which `batches_done` batches are done."""
        self._epoch, self._first_batch, self._done = epoch, batches_done, batches_done
        self._started = self._now = self._training_ended = now
        self._ended = False

    def batch(self, done: int, now: float) -> None:
        """Note that `done` batches of the epoch are done."""
        self._done = done
        self._now = self._training_ended = now
        self._per_batch = (now - self._started) / (done - self._first_batch)

    def tick(self, now: float) -> None:
        """Note the time while the validation part is judged."""
        self._now = now

    def end_epoch(self, now: float) -> None:
        """Note that the epoch with its validation is over."""
        self._now = now
        self._after_training = now - self._training_ended
        self._ended = True

    @property
    def share_of_epoch(self) -> float:
        """Share of the epoch's batches that are done, in [0, 1]."""
        return self._done / self._batches

    @property
    def epoch_left(self) -> float | None:
        """Seconds until the epoch, with its validation, is over."""
        if self._ended:
            return 0.0
        if self._per_batch is None:
            return None
        spent_after = self._now - self._training_ended
        return self._per_batch * (self._batches - self._done) + max(
            0.0, self._after_training - spent_after
        )

    @property
    def run_left(self) -> float | None:
        """Seconds until the last epoch is over; early stopping is not foreseen."""
        if self._per_batch is None or self.epoch_left is None:
            return None
        whole_epoch = self._per_batch * self._batches + self._after_training
        return self.epoch_left + whole_epoch * (self._epochs - self._epoch)


def duration(seconds: float | None) -> str:
    """Seconds as `m:ss` or `h:mm:ss`; `–:––` where unknown."""
    if seconds is None:
        return "–:––"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _ends_within_a_line(log: Path) -> bool:
    if not log.is_file() or not log.stat().st_size:
        return False
    with log.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"


def _log_error(log: Path, error: OSError) -> RunError:
    return RunError(
        f"the log {log} cannot be written: {error.strerror or error}",
        expected="a run folder that can be written, on a disk with room",
        mend="make room or mend the rights, then continue with --resume",
    )
