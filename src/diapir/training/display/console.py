"""Output of a run: log.txt, and plain lines or a live display in a terminal.

Every line goes to log.txt, and to the stream where that is not a terminal. In a terminal the lines
of epochs stay above two progress bars, which replace the lines of batches.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console as Terminal

from diapir.errors import RunError
from diapir.files import unwritable
from diapir.run.folder import RESUME
from diapir.text import duration
from diapir.training.cursor import StepTerms
from diapir.training.display.live import LiveDisplay
from diapir.training.validation import Validation


class Console:
    """Lines and display of a run. Use it as a context manager, or call `close`.

    Args:
        log: the log file; a resumed run appends to it, a new one overwrites it.
        epochs: the number of epochs of the whole run.
        batches: the number of batches of an epoch.
        stream: for people; a display is drawn where this is a terminal.
        resumed: whether this is a resumed run.
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
        self._epoch = 1
        self._stream: TextIO | None = stream
        try:
            torn = resumed and _ends_within_a_line(log)
            self._log = log.open("a" if resumed else "w", encoding="utf-8", buffering=1)
            if torn:
                self._log.write("\n")
        except OSError as error:
            raise unwritable(log, error, RunError, fix=RESUME) from None
        self._display: LiveDisplay | None = None
        if stream.isatty():
            terminal = Terminal(file=stream, force_terminal=True)
            if not terminal.is_dumb_terminal:
                self._display = LiveDisplay(terminal, epochs, batches, best_loss)

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
        """Start an epoch (from 1) of which `batches_done` batches are done."""
        self._epoch = epoch
        self._show(lambda display: display.start_epoch(epoch, batches_done))

    def batch(
        self, batch: int, terms: StepTerms, tiles_per_s: float, lr: float, *, line: bool
    ) -> None:
        """Report a finished batch of the epoch.

        Args:
            batch: the batch, from 0.
            terms: what its step measured.
            tiles_per_s: training speed.
            lr: learning rate.
            line: whether this batch gets a line of the log.
        """
        if line:
            self._write(
                f"Epoch [{self._epoch}/{self._epochs}], Batch [{batch}/{self._batches}], "
                + _training(terms),
                in_terminal=False,
            )
        self._show(lambda display: display.batch(batch, terms, tiles_per_s, lr))

    def train_epoch(self, epoch: int, means: StepTerms) -> None:
        """Report the means over an epoch of training."""
        self._write(f"Epoch [{epoch}/{self._epochs}] - {_training(means)}")

    def validating(self, done: int, total: int) -> None:
        """Report that `done` of `total` batches of the validation part are done."""
        self._show(lambda display: display.validating(done, total))

    def validation(self, scores: Validation) -> None:
        """Report the losses of the validation part."""
        self._write(
            f"Validation - Loss: {scores.loss:.4f}, CE: {scores.ce:.4f}, "
            f"Dice Loss: {scores.dice_loss:.4f}"
        )

    def scores(self, scores: Validation, lr: float, best: str, left_s: float | None = None) -> None:
        """Report the scores of the validation part, and where the run stands.

        Args:
            scores: those of the validation.
            lr: learning rate of the epoch.
            best: the best epoch so far and what it is best in.
            left_s: estimate of the time left in seconds; None if it is not known.
        """
        self._show(lambda display: display.scores(scores.dice, scores.kaggle_map))
        left = "" if left_s is None else duration(left_s)
        self._write(
            f"Scores - Dice: {scores.dice:.4f}, IoU: {scores.iou:.4f}, "
            f"Kaggle mAP: {scores.kaggle_map:.4f}; LR: {lr:.2e}; best: {best}"
            + (f"; about {left} left" if left else "")
        )

    def best(self, val_loss: float) -> None:
        """Report that a new best model was saved."""
        self._show(lambda display: display.best(val_loss))
        self._write(f"New best model saved! Validation loss: {val_loss:.4f}", style="green")

    def early_stopping(self, epochs: int) -> None:
        """Report that early stopping ends the run after `epochs` epochs."""
        self._write(f"Early stopping triggered after {epochs} epochs.")

    def note(self, text: str) -> None:
        """Write any other line."""
        self._write(text, style="yellow")

    def close(self) -> None:
        """Remove the display, restore the cursor, and close the log. May be repeated."""
        self._show(LiveDisplay.close)
        self._display = None
        with contextlib.suppress(OSError):  # each line was flushed, and its failure reported
            self._log.close()

    def _write(self, line: str, *, style: str = "", in_terminal: bool = True) -> None:
        try:
            self._log.write(line + "\n")
        except OSError as error:
            raise unwritable(self._log_path, error, RunError, fix=RESUME) from None
        if self._display:
            if in_terminal:
                self._show(lambda display: display.line(line, style))
        elif self._stream:
            encoding = self._stream.encoding or "utf-8"
            with self._while_somebody_reads():
                self._stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
                self._stream.flush()

    def _show(self, draw: Callable[[LiveDisplay], None]) -> None:
        if self._display:
            with self._while_somebody_reads():
                draw(self._display)

    @contextlib.contextmanager
    def _while_somebody_reads(self) -> Iterator[None]:
        """Continue with the log alone once the reader is gone (`| head`, a lost session)."""
        try:
            yield
        except OSError:
            self._stream = self._display = None


def _training(terms: StepTerms) -> str:
    return (
        f"Loss: {terms.loss:.4f}, CE: {terms.ce:.4f}, Dice Loss: {terms.dice_loss:.4f}, "
        f"Dice Score: {terms.dice:.4f}"
    )


def _ends_within_a_line(log: Path) -> bool:
    if not log.is_file() or not log.stat().st_size:
        return False
    with log.open("rb") as file:
        file.seek(-1, 2)
        return file.read(1) != b"\n"
