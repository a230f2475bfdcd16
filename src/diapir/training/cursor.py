"""Where a run stands: epoch, batch, step, and sums of what the steps of the epoch measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from diapir.training.saved_state import restore_values


class StepTerms(NamedTuple):
    """Measurements of one optimiser step, or their means over an epoch."""

    loss: float
    ce: float
    dice: float
    """Soft Dice."""
    norm: float
    """Norm of the gradient of all parameters, before clipping."""

    @property
    def dice_loss(self) -> float:
        """1 − soft Dice."""
        return 1 - self.dice


@dataclass
class Cursor:
    """Position of a run and sums over its current epoch; saved with the weights."""

    epoch: int = 1
    batch: int = 0
    """Batches done in this epoch."""
    step: int = 0
    """Steps done in the run."""
    sums: list[float] = field(default_factory=lambda: [0.0] * len(StepTerms._fields))
    """Sums of the epoch's `StepTerms`."""
    counted: int = 0
    skipped: int = 0
    bad_steps: int = 0
    """Consecutive skipped steps up to now."""
    norm_max: float = 0.0
    tiles: int = 0
    seconds: float = 0.0
    best_val_loss: float = math.inf
    """Validation loss of the saved epoch."""
    best_epoch: int = 0
    """The epoch of the saved model; 0 where there is none yet."""
    best_score: float = -math.inf
    """Best score so far by which epochs are compared; higher is better."""
    stale_epochs: int = 0
    """Epochs since the best score."""
    rollbacks: int = 0
    validation_s: float = 0.0
    """Duration of the last validation in seconds."""

    @classmethod
    def restored(cls, saved: object) -> Cursor:
        """The position that `asdict` gave.

        Raises:
            ValueError: it is not one.
        """
        cursor = restore_values(cls, saved)
        if cursor.epoch < 1 or len(cursor.sums) != len(StepTerms._fields):
            raise ValueError(f"epoch {cursor.epoch}, {len(cursor.sums)} sums")
        return cursor

    def count(self, terms: StepTerms | None, tiles: int, seconds: float) -> None:
        """Record a step on `tiles` tiles; `terms` is None for a skipped step."""
        if terms is None:
            self.skipped += 1
            self.bad_steps += 1
        else:
            self.counted += 1
            self.bad_steps = 0
            self.sums = [total + term for total, term in zip(self.sums, terms, strict=True)]
            self.norm_max = max(self.norm_max, terms.norm)
        self.tiles += tiles
        self.seconds += seconds
        self.batch += 1
        self.step += 1

    def means(self) -> StepTerms:
        """Means over the steps of the epoch that were not skipped."""
        return StepTerms(*(total / max(self.counted, 1) for total in self.sums))

    def tiles_per_s(self) -> float:
        """Training speed in this epoch."""
        return self.tiles / max(self.seconds, 1e-9)

    def next_epoch(self) -> None:
        """Move to the start of the next epoch."""
        self.epoch += 1
        self.batch = self.counted = self.skipped = self.tiles = 0
        self.sums = [0.0] * len(self.sums)
        self.norm_max = self.seconds = 0.0
