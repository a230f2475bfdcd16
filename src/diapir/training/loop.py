"""The training loop: what a run does from its first step to its last, and how it is continued."""

from __future__ import annotations

import math
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

import numpy as np

from diapir.config import RunConfig
from diapir.errors import Interrupted, RunError
from diapir.preprocess import padding
from diapir.run.folder import BEST, LOG, SPLIT, RunFolder
from diapir.tiles import TileSet
from diapir.training.batches import Indices, epoch_batches
from diapir.training.checkpoint import Checkpoints
from diapir.training.device import Device
from diapir.training.display.console import Console
from diapir.training.origin import Origin, figures
from diapir.training.selection import choose_examples, settle_split, training_tiles
from diapir.training.session import Session
from diapir.training.stopping import Stopping
from diapir.training.tracking.tracker import Tracking
from diapir.training.validation import Validation, predict, validate
from diapir.training.windows import open_windows, training_hash

BAD_STEPS = 3
"""Steps without a finite loss or gradient, one after the other, that lead back to the last save."""

ROLLBACKS = 3
"""Times a run goes back to its last save before it gives up."""

Stopped = Literal["epochs", "early", "budget"]


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        run: the run folder.
        best_epoch: the epoch that is kept, from 1: of the best validation loss, or as
            `train.select` says.
        best_val_loss: its validation loss.
        epochs: whole epochs done.
        stopped: after all epochs, by early stopping, or by the budget.
    """

    run: Path
    best_epoch: int
    best_val_loss: float
    epochs: int
    stopped: Stopped


class Loop:
    """One run from where it stands to its end."""

    def __init__(
        self,
        config: RunConfig,
        tiles: TileSet,
        folder: RunFolder,
        device: Device,
        stopping: Stopping,
    ) -> None:
        self.config = config
        self.tiles = tiles
        self.run_folder = folder
        self.folder = folder.path
        self.device = device
        self.stopping = stopping
        self.notes = folder.check_config(config) if device.is_main else []
        self.checkpoints = Checkpoints(self.folder, self.notes.append)
        self.split = settle_split(config.data, tiles, self.folder / SPLIT)
        self.train_tiles, more = training_tiles(config.data, tiles, self.split)
        self.notes += more
        self.windows = open_windows(config.data, self.train_tiles, config.preprocess.size)
        if self.windows:
            self.notes.append(self.windows.describe())
        self.training_hash = training_hash(self.train_tiles, self.windows)
        self.origin = Origin(config, tiles, self.split, self.train_tiles, self.windows)
        self.val_tiles = tiles.select(sorted(self.split.part("val")))
        shapes = np.concatenate([tiles.shapes, self.train_tiles.shapes])
        for height, width in np.unique(shapes, axis=0).tolist():
            padding(height, width, config.preprocess)
        self.session = Session(
            config,
            device,
            pretrained=not self.checkpoints.exist,
            steps=len(self._epoch_batches(1)) * config.train.epochs,
            windows=self.windows,
        )
        self.examples = choose_examples(self.val_tiles, config.track.examples)
        if device.is_main:
            folder.check_space(self.session.save_bytes())
        device.wait()  # until the main process has taken the folder

    def run(self, stream: TextIO) -> TrainResult:
        """Open what a run writes to, train, and close it, whatever happens."""
        main, session = self.device.is_main, self.session
        state = self.checkpoints.load()
        if state:
            # a state of an earlier version does not say what it learnt from
            if state.get("tiles", self.training_hash) != self.training_hash:
                raise RunError(
                    f"the tiles that {self.folder} learns from have changed since it began",
                    expected="the same tiles, those of data.extra as well",
                    fix="put them back, or train into a new --out",
                )
            session.restore(state)
        elif (self.folder / BEST).exists():
            raise RunError(
                f"{self.folder} holds a best model, but nothing in {self.checkpoints.folder} to "
                "continue from",
                expected="the last/ folder of the run",
                fix="put last/ back from a copy, or train into a new --out",
            )
        if main:  # all that can be refused has been: from here on the folder holds a run
            self.run_folder.save_config(self.config)
            self.split.save(self.folder / SPLIT)
        with ExitStack() as stack:
            if not main:
                stream = stack.enter_context(Path(os.devnull).open("w"))
            self.console = stack.enter_context(
                Console(
                    self.folder / LOG if main else Path(os.devnull),
                    epochs=self.config.train.epochs,
                    batches=len(self._epoch_batches(session.cursor.epoch)),
                    stream=stream,
                    resumed=state is not None,
                    best_loss=session.cursor.best_val_loss if session.cursor.best_epoch else None,
                )
            )
            self.tracking: Tracking | None = None
            if main:
                self.tracking = Tracking(
                    self.folder,
                    self.config,
                    epochs_done=session.cursor.epoch - 1,
                    state=state["trackers"] if state else None,
                    note=self.console.note,
                )
                stack.callback(self._finish_tracking)
            self._introduce(resumed=state is not None)
            stopped = self._epochs()
        cursor = session.cursor
        if not cursor.best_epoch:  # the budget ended before there was a finite loss
            raise self._diverged("there is no finite validation loss yet, and so no best model")
        return TrainResult(
            self.folder, cursor.best_epoch, cursor.best_val_loss, cursor.epoch - 1, stopped
        )

    def _epochs(self) -> Stopped:
        if self.session.cursor.step == 0:
            self._save()  # a folder that cannot be saved to shows now, and a rollback has a place
        while True:
            cursor, patience = self.session.cursor, self.config.train.early_stopping
            if patience is not None and cursor.stale_epochs >= patience:
                self.console.early_stopping(cursor.epoch - 1)
                return "early"
            if cursor.epoch > self.config.train.epochs:
                return "epochs"
            if cursor.step and self._over_budget():
                self.console.note(f"The budget is spent after {cursor.epoch - 1} epochs")
                return "budget"
            if self._train_epoch():
                self._end_epoch()
            else:
                self._judge_unfinished_epoch()
                return "budget"

    def _train_epoch(self) -> bool:
        """Train the rest of the current epoch; False where the budget ended it."""
        session, cursor = self.session, self.session.cursor
        batches = self._epoch_batches(cursor.epoch)
        self.console.start_epoch(cursor.epoch, cursor.batch)
        last_save = time.monotonic()
        while cursor.batch < len(batches):
            started = time.monotonic()
            number, batch = cursor.batch, batches[cursor.batch]
            terms = session.step(self.train_tiles, batch)
            cursor.count(terms, len(batch), time.monotonic() - started)
            if terms is None:
                self.console.note(
                    f"Epoch {cursor.epoch}, batch {number}: the loss or its gradient is not "
                    "finite; the step is skipped"
                )
                if cursor.bad_steps == BAD_STEPS:
                    # to a save within this epoch, or at its start
                    self._roll_back(f"The loss was not finite for {BAD_STEPS} steps")
                    cursor = session.cursor
            else:
                self.console.batch(
                    cursor.epoch,
                    number,
                    loss=terms.loss,
                    ce=terms.ce,
                    dice_loss=1 - terms.dice,
                    dice=terms.dice,
                    tiles_per_s=cursor.tiles_per_s(),
                    line=number % self.config.train.log_every == 0,
                    lr=session.lr,
                )
            self._obey_signals()
            if cursor.batch < len(batches) and self._over_budget():
                return False
            if time.monotonic() - last_save > 60 * self.config.train.save_minutes:
                self._save()
                last_save = time.monotonic()
        return True

    def _end_epoch(self) -> None:
        cursor = self.session.cursor
        validation, better = self._judge()
        if not math.isfinite(validation.loss):
            self._roll_back("The validation loss is not finite")
            return
        cursor.stale_epochs = 0 if better else cursor.stale_epochs + 1
        self._track(validation)
        self.session.schedule.after_epoch(validation.loss)
        cursor.next_epoch()
        self._save()

    def _judge_unfinished_epoch(self) -> None:
        """Judge what the budget left of an epoch; resuming continues within the epoch."""
        cursor = self.session.cursor
        self.console.note(
            f"The budget is spent in epoch {cursor.epoch} after {cursor.batch} batches"
        )
        validation, _ = self._judge()
        if math.isfinite(validation.loss):  # else the last save is better than this
            self._track(validation)
            self._save()

    def _judge(self) -> tuple[Validation, bool]:
        """Score the current weights, and save them as the bundle if they are to be kept.

        Returns:
            The scores, and whether they are the best so far.
        """
        cursor, means = self.session.cursor, self.session.cursor.means()
        self.console.train_epoch(
            cursor.epoch, loss=means.loss, ce=means.ce, dice_loss=1 - means.dice, dice=means.dice
        )
        started = time.monotonic()
        validation = validate(
            self.session.network, self.val_tiles, self.config, self.device, self._on_validation
        )
        cursor.validation_s = time.monotonic() - started
        select = self.config.train.select
        self.console.validation(
            loss=validation.loss,
            ce=validation.ce,
            dice_loss=1 - validation.soft_dice,
            kaggle_map=validation.kaggle_map if select == "kaggle_map" else None,
        )
        if not math.isfinite(validation.loss):
            return validation, False
        score = validation.kaggle_map if select == "kaggle_map" else -validation.loss
        better = score > cursor.best_score
        if better:
            cursor.best_score = score
        if better or select == "last":
            cursor.best_val_loss, cursor.best_epoch = validation.loss, cursor.epoch
            if self.device.is_main:
                self.origin.save(self.folder / BEST, self.session, validation)
        if better:
            self.console.best(validation.loss)
        return validation, better

    def _on_validation(self, done: int, total: int) -> None:
        self.console.validating(done, total)
        self._obey_signals()

    def _obey_signals(self) -> None:
        """Save and leave where a signal came to any of the processes.

        Raises:
            Interrupted: it did.
        """
        signum = self.device.highest(self.stopping.signum)
        if signum:
            self._save()
            cursor = self.session.cursor
            raise Interrupted(
                signum,
                f"stopped in epoch {cursor.epoch} after {cursor.batch} batches and saved; "
                f"continue with --resume --out {self.folder}",
            )

    def _over_budget(self) -> bool:
        """Whether the budget has time left for a validation only, in any of the processes.

        Before the first validation its time is guessed: a training step costs about three forward
        passes.
        """
        cursor = self.session.cursor
        guess = len(self.val_tiles) / max(cursor.tiles_per_s(), 1e-9) / 3 if cursor.tiles else 0
        over = self.stopping.over_budget(cursor.validation_s or guess)
        return bool(self.device.highest(int(over)))

    def _epoch_batches(self, epoch: int) -> list[Indices]:
        batches = self.windows.epoch_batches if self.windows else epoch_batches
        return batches(
            len(self.train_tiles),
            self.config.train.batch,
            seed=self.config.seed,
            epoch=epoch,
            processes=self.device.world,
        )

    def _save(self) -> None:
        if self.tracking:
            beside = {"trackers": self.tracking.state(), "tiles": self.training_hash}
            self.checkpoints.save(self.session.state() | beside)

    def _roll_back(self, reason: str) -> None:
        """Go back to the last save with half the learning rate.

        Args:
            reason: what was not finite, for the log.

        Raises:
            RunError: this has been done too often.
        """
        rollbacks = self.session.cursor.rollbacks + 1
        state = self.checkpoints.load()
        if rollbacks > ROLLBACKS or state is None:
            raise self._diverged(
                f"the loss stayed non-finite after {rollbacks - 1} returns to the last save, each "
                "with half the learning rate"
            )
        self.session.restore(state)
        self.session.cursor.rollbacks = rollbacks
        self.session.cursor.bad_steps = 0
        self.session.schedule.halve()
        self.console.note(
            f"{reason}: back to batch {self.session.cursor.batch} of epoch "
            f"{self.session.cursor.epoch}, with learning rate {self.session.lr:.3g}"
        )
        self.device.wait()  # until every process has read the state that is now replaced
        self._save()

    def _diverged(self, found: str) -> RunError:
        best = self.folder / BEST
        return RunError(
            found,
            expected="a finite loss and gradient",
            fix="a lower optimizer.lr, device.precision=fp32, or `diapir data check` on the tiles"
            + (f"; what was best so far is in {best}" if best.exists() else ""),
        )

    def _track(self, validation: Validation) -> None:
        """Hand an epoch's figures and examples to metrics.csv and the trackers."""
        if not self.tracking:
            return
        self.tracking.epoch(figures(self.session, validation))
        if len(self.examples):
            images, masks = self.examples.stack(np.arange(len(self.examples)))
            probabilities = predict(self.session.network, self.examples, self.config, self.device)
            self.tracking.examples(
                self.session.cursor.epoch, self.examples.ids, images, masks, probabilities
            )

    def _finish_tracking(self) -> None:
        best = self.folder / BEST
        if self.tracking:
            self.tracking.finish(best if best.is_dir() else None)

    def _introduce(self, *, resumed: bool) -> None:
        say, cursor = self.console.note, self.session.cursor
        for note in self.notes:
            say(note)
        if resumed:
            say(f"Resumed in epoch {cursor.epoch} after {cursor.batch} batches")
        say(
            f"Tiles: {self.tiles.name}, {len(self.train_tiles)} to train on, "
            f"{len(self.val_tiles)} to validate on, masks {self.tiles.encoding}"
        )
        for skipped, reason in self.tiles.skipped:
            say(f"Left out {skipped}: {reason}")
        say(f"Network: {self.session.describe()}")
        if self.session.started:
            say(self.session.started)
        if advice := self.device.advice(self.config.device):
            say(advice)
