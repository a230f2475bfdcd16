"""What a person sees of a run: log.txt and plain lines, or a live display in a terminal.

Every line goes to log.txt. The same lines go to a stream that is no terminal. In a terminal the
lines of epochs stay above two bars, which show the batches that would otherwise flood it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console as Terminal

from diapir.errors import RunError
from diapir.training.display.live import LiveDisplay


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
        """Begin an epoch (from 1), or continue it after `batches_done` batches."""
        self._show(lambda display: display.start_epoch(epoch, batches_done))

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
        self._show(lambda display: display.batch(batch, loss, ce, dice, tiles_per_s, lr))

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
        self._show(lambda display: display.validating(done, total))

    def validation(
        self, *, loss: float, ce: float, dice_loss: float, kaggle_map: float | None = None
    ) -> None:
        """Report the means over the validation part; Kaggle's mAP where it chooses the model."""
        self._write(
            f"Validation - Loss: {loss:.4f}, CE: {ce:.4f}, Dice Loss: {dice_loss:.4f}"
            + ("" if kaggle_map is None else f", Kaggle mAP: {kaggle_map:.4f}")
        )

    def best(self, val_loss: float) -> None:
        """Report that a model better than all before was saved."""
        self._show(lambda display: display.best(val_loss))
        self._write(f"New best model saved! Validation loss: {val_loss:.4f}", style="green")

    def early_stopping(self, epochs: int) -> None:
        """Report that the run ends after `epochs` epochs for want of progress."""
        self._write(f"Early stopping triggered after {epochs} epochs.")

    def note(self, text: str) -> None:
        """Say something else that a person should know: one line."""
        self._write(text, style="yellow")

    def close(self) -> None:
        """Take the display away, give the cursor back, and close the log. May be repeated."""
        self._show(LiveDisplay.close)
        self._display = None
        with contextlib.suppress(OSError):  # each line was flushed, and its failure reported
            self._log.close()

    def _write(self, line: str, *, style: str = "", in_terminal: bool = True) -> None:
        try:
            self._log.write(line + "\n")
        except OSError as error:
            raise _log_error(self._log_path, error) from None
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
        """Where nobody reads any more (`| head`, a lost session), go on with the log alone."""
        try:
            yield
        except OSError:
            self._stream = self._display = None


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
        fix="free space or fix the permissions, then run again with --resume",
    )
