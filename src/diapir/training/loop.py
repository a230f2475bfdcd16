"""The training loop: epochs, validation, checkpoints, rollbacks, and when it ends."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from diapir.errors import Interrupted, RunError
from diapir.text import duration, integer, plural
from diapir.training.display.console import Console
from diapir.training.display.time_left import TimeLeft
from diapir.training.epoch_metrics import Row, epoch_row
from diapir.training.from_python.epoch_state import EpochState
from diapir.training.prepare import PreparedRun, batches_of
from diapir.training.save_bundle import save_bundle, shown_to_network
from diapir.training.step_images import AHEAD
from diapir.training.stopping import Stopping
from diapir.training.tracking.tracker import Tracking
from diapir.training.validation import Validation, predict, validate

BAD_STEPS = 3
"""Consecutive steps without a finite loss or gradient after which the run is rolled back."""

_MEASURED = 2
"""Steps after which the duration of an epoch is estimated."""

ROLLBACKS = 3
"""Rollbacks to the last checkpoint before a run is given up."""

Stopped = Literal["epochs", "early", "budget", "callback"]


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        run: the run folder.
        best_epoch: epoch of the saved model, from 1; `train.select` says how it is chosen.
        best_val_loss: validation loss of the saved model.
        epochs: completed epochs.
        stopped: after all epochs, by early stopping, by the time budget, or by a callback.
    """

    run: Path
    best_epoch: int
    best_val_loss: float
    epochs: int
    stopped: Stopped


class Loop:
    """Trains a prepared run from where it stands to its end.

    Args:
        run: the run.
        stopping: notes signals and watches the time budget.
        console: shows and logs progress.
        tracking: records metrics and examples; None in all processes but the main one.
        resume_with: gives the command that resumes the run, for the message after a signal.
    """

    def __init__(
        self,
        run: PreparedRun,
        stopping: Stopping,
        console: Console,
        tracking: Tracking | None,
        *,
        resume_with: Callable[[], str],
    ) -> None:
        self._run = run
        self._config = run.config
        self._device = run.device
        self._session = run.session
        self._stopping = stopping
        self._console = console
        self._tracking = tracking
        self._resume_with = resume_with
        self._time_left = TimeLeft(run.config.train.epochs)

    def run(self) -> TrainResult:
        """Train to the end.

        Raises:
            Interrupted: a signal came, and a checkpoint was saved.
            RunError: the loss stays non-finite, or the run folder cannot be written.
        """
        stopped = self._epochs()
        cursor = self._session.cursor
        if not cursor.best_epoch:  # the budget ended before there was a finite loss
            raise self._diverged("no validation loss was finite, so there is no best model")
        return TrainResult(
            self._run.folder, cursor.best_epoch, cursor.best_val_loss, cursor.epoch - 1, stopped
        )

    def _epochs(self) -> Stopped:
        if self._session.cursor.step == 0:
            self._save()  # finds out whether saving works, and gives a rollback its checkpoint
        while True:
            cursor, patience = self._session.cursor, self._config.train.early_stopping
            if patience is not None and cursor.stale_epochs >= patience:
                self._console.early_stopping(cursor.epoch - 1)
                return "early"
            if cursor.epoch > self._config.train.epochs:
                return "epochs"
            if cursor.step and self._over_budget():
                self._console.note(f"Time budget reached after {plural(cursor.epoch - 1, 'epoch')}")
                return "budget"
            if self._train_epoch():
                if self._end_epoch():
                    return "callback"
            else:
                self._end_unfinished_epoch()
                return "budget"

    def _train_epoch(self) -> bool:
        """Train the rest of the current epoch; False where the budget ended it."""
        run, session, cursor = self._run, self._session, self._session.cursor
        batches = batches_of(self._config, run.tiles, self._device, epoch=cursor.epoch)
        self._console.start_epoch(cursor.epoch, cursor.batch)
        self._time_left.start_epoch(cursor.batch)
        last_save = time.monotonic()
        while cursor.batch < len(batches):
            started = time.monotonic()
            number, batch = cursor.batch, batches[cursor.batch]
            following = batches[number + 1 : number + 1 + AHEAD]
            terms = session.step(run.tiles.training, batch, following)
            cursor.count(terms, len(batch), time.monotonic() - started)
            if terms is not None:
                line = number % self._config.train.log_every == 0
                self._console.batch(number, terms, cursor.tiles_per_s(), session.lr, line=line)
            else:
                self._console.note(
                    f"Epoch {cursor.epoch}, batch {number}: loss or gradient is not finite; "
                    "step skipped"
                )
                if cursor.bad_steps == BAD_STEPS:
                    # to a checkpoint within this epoch, or at its start
                    self._roll_back(f"The loss was not finite in {BAD_STEPS} consecutive steps")
                    cursor = session.cursor
            self._obey_signals()
            left_s = self._stopping.left_s
            too_short = left_s is not None and left_s < self._left_in_epoch_s()
            if cursor.step == _MEASURED and too_short:
                self._console.note(f"The time budget is too short for one epoch: {self._pace()}")
            if cursor.batch < len(batches) and self._over_budget():
                return False
            if time.monotonic() - last_save > 60 * self._config.train.save_minutes:
                self._save()
                last_save = time.monotonic()
        return True

    def _end_epoch(self) -> bool:
        """Validate, save and tell the callbacks; returns whether one of them ended the run."""
        cursor = self._session.cursor
        validation, better = self._validate()
        if not math.isfinite(validation.loss):
            self._roll_back("The validation loss is not finite")
            return False
        cursor.stale_epochs = 0 if better else cursor.stale_epochs + 1
        self._track(validation)
        row = epoch_row(self._session, validation)
        left_s = self._time_left.end_epoch(cursor.epoch, self._stopping.left_s)
        self._console.scores(validation, self._session.lr, self._best(), left_s)
        before = self._session.lr
        self._session.schedule.after_epoch(validation.loss)
        if self._session.lr < before and cursor.epoch < self._config.train.epochs:
            self._console.note(
                f"Learning rate lowered from {before:.3g} to {self._session.lr:.3g} (factor "
                f"{self._config.schedule.factor:g}): the validation loss has not improved in "
                f"{plural(self._config.schedule.patience + 1, 'epoch')}"
            )
        cursor.next_epoch()
        self._save()
        return self._tell_callbacks(row)

    def _tell_callbacks(self, row: Row) -> bool:
        """Tell them of the epoch of a row; whether one of them, in any process, ends the run."""
        if not self._run.callbacks:
            return False
        state = EpochState(
            epoch=int(row["epoch"]),
            epochs=self._config.train.epochs,
            metrics=row,
            best=bool(row["best"]),
            run=self._run.folder,
            network=getattr(self._session.network, "module", self._session.network),
        )
        if self._device.is_main:
            for callback in self._run.callbacks:
                callback.on_epoch_end(state)
        stops = bool(self._device.highest(int(bool(state.stopped))))
        if stops:
            self._console.note(f"Stopped after epoch {state.epoch}: {state.stopped}")
        return stops

    def _end_unfinished_epoch(self) -> None:
        """Validate an epoch that the budget cut short; resuming continues within it."""
        epoch, batch = self._session.cursor.epoch, self._session.cursor.batch
        self._console.note(
            f"Time budget reached in epoch {epoch} (batch {batch}/{self._run.batches})"
            + ("" if epoch > 1 else f"; no epoch is complete: {self._pace()}")
        )
        validation, _ = self._validate()
        if math.isfinite(validation.loss):  # else the last checkpoint is better than this
            self._track(validation)
            self._console.scores(validation, self._session.lr, self._best())
            self._save()

    def _best(self) -> str:
        """The best epoch so far, and what it is best in, for the log."""
        cursor, select = self._session.cursor, self._config.train.select
        if select == "kaggle_map":
            return f"epoch {cursor.best_epoch}, Kaggle mAP {cursor.best_score:.4f}"
        last = " (the last is kept)" if select == "last" else ""
        return f"epoch {cursor.best_epoch}, validation loss {cursor.best_val_loss:.4f}{last}"

    def _validate(self) -> tuple[Validation, bool]:
        """Evaluate the current weights, and save them as the best model where they are.

        Returns:
            The scores, and whether they are the best so far.
        """
        run, cursor = self._run, self._session.cursor
        self._console.train_epoch(cursor.epoch, cursor.means())
        started = time.monotonic()
        validation = validate(
            self._session.network,
            run.tiles.validation,
            self._config,
            self._device,
            self._on_validation,
            shown_to_network(self._config, run.tiles),
            self._session.loss,
        )
        cursor.validation_s = time.monotonic() - started
        select = self._config.train.select
        self._console.validation(validation)
        if not math.isfinite(validation.loss):
            return validation, False
        score = validation.kaggle_map if select == "kaggle_map" else -validation.loss
        better = score > cursor.best_score
        if better:
            cursor.best_score = score
        if better or select == "last":
            cursor.best_val_loss, cursor.best_epoch = validation.loss, cursor.epoch
            if self._device.is_main:
                save_bundle(run.best, self._config, run.tiles, self._session, validation)
        if better:
            self._console.best(validation.loss)
        return validation, better

    def _on_validation(self, done: int, total: int) -> None:
        self._console.validating(done, total)
        self._obey_signals()

    def _obey_signals(self) -> None:
        """Save a checkpoint and stop where any of the processes got a signal.

        Raises:
            Interrupted: one did.
        """
        signum = self._device.highest(self._stopping.signum)
        if signum:
            self._save()
            cursor = self._session.cursor
            raise Interrupted(
                signum,
                f"interrupted at epoch {cursor.epoch}, batch {cursor.batch}/{self._run.batches}; "
                f"checkpoint saved; {self._best_so_far()}resume with: {self._resume_with()}",
            )

    def _best_so_far(self) -> str:
        """How to evaluate the best model of an interrupted run; empty if there is none."""
        run = self._run
        if not run.best.is_dir():
            return ""
        words = ["diapir", "evaluate", str(run.folder), "--data", str(run.tiles.labelled.path)]
        command = shlex.join([*words, "--out", f"{run.folder}-evaluation"])
        return f"evaluate the best model so far with: {command}; "

    def _over_budget(self) -> bool:
        """Whether the budget leaves time for a validation only, in any of the processes."""
        over = self._stopping.over_budget(self._validation_s())
        return bool(self._device.highest(int(over)))

    def _left_in_epoch_s(self) -> float:
        """Estimated seconds to the end of the epoch and its validation."""
        cursor = self._session.cursor
        left = self._run.batches - cursor.batch
        return left * cursor.seconds / max(cursor.batch, 1) + self._validation_s()

    def _validation_s(self) -> float:
        """Seconds of a validation: of the last one, or a third of training on as many tiles."""
        cursor, tiles = self._session.cursor, len(self._run.tiles.validation)
        estimate = tiles / max(cursor.tiles_per_s(), 1e-9) / 3 if cursor.tiles else 0
        return cursor.validation_s or estimate

    def _pace(self) -> str:
        """How long an epoch takes, in words."""
        cursor = self._session.cursor
        whole = self._run.batches * cursor.seconds / max(cursor.batch, 1)
        return (
            f"its {integer(self._run.batches)} batches take about {duration(whole)}, "
            f"and its validation about {duration(self._validation_s())}"
        )

    def _save(self) -> None:
        if self._tracking:
            beside = {"trackers": self._tracking.state(), "tiles": self._run.tiles.hash}
            self._run.checkpoints.save(self._session.state() | beside)

    def _roll_back(self, reason: str) -> None:
        """Restore the last checkpoint with half the learning rate.

        Args:
            reason: what was not finite, for the log.

        Raises:
            RunError: this has been done too often.
        """
        session = self._session
        rollbacks = session.cursor.rollbacks + 1
        state = self._run.checkpoints.load()
        if rollbacks > ROLLBACKS or state is None:
            raise self._diverged(
                f"the loss is still not finite after {rollbacks - 1} rollbacks to the last "
                "checkpoint, each with half the learning rate"
            )
        session.restore(state)
        session.cursor.rollbacks = rollbacks
        session.cursor.bad_steps = 0
        session.schedule.halve()
        self._console.note(
            f"{reason}; rolled back to epoch {session.cursor.epoch}, batch {session.cursor.batch} "
            f"with learning rate {session.lr:.3g}"
        )
        self._device.wait()  # until every process has read the state that is now replaced
        self._save()

    def _diverged(self, found: str) -> RunError:
        best = self._run.best
        return RunError(
            found,
            expected="a finite loss and gradient",
            fix="lower optimizer.lr, set device.precision=fp32, or check the tiles with "
            "`diapir data check`" + (f"; the best model so far is {best}" if best.exists() else ""),
        )

    def _track(self, validation: Validation) -> None:
        """Record an epoch's metrics and examples."""
        if not self._tracking:
            return
        self._tracking.epoch(epoch_row(self._session, validation))
        examples = self._run.tiles.examples
        if len(examples):
            images, masks = examples.stack(np.arange(len(examples)))
            probabilities = predict(
                self._session.network,
                examples,
                self._config,
                self._device,
                shown_to_network(self._config, self._run.tiles),
            )
            self._tracking.examples(
                self._session.cursor.epoch, examples.ids, images, masks, probabilities
            )
