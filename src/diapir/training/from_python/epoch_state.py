"""What callbacks see of a training, and what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from torch import nn


@dataclass
class EpochState:
    """What a callback sees at the end of an epoch; the checkpoint is saved by then.

    Attributes:
        epoch: that ended, from 1.
        epochs: of the whole run.
        metrics: its row of metrics.csv: `train_loss`, `val_loss`, `val_dice`, `lr`, …
        best: whether its weights are the best so far, and in `best/`.
        run: the run folder.
        network: the network in training; change its weights at your own risk.
        stopped: why the run ends after this epoch; empty if it goes on.
    """

    epoch: int
    epochs: int
    metrics: Mapping[str, float]
    best: bool
    run: Path
    network: nn.Module
    stopped: str = field(default="")

    def stop(self, reason: str = "a callback asked for it") -> None:
        """End the run after this epoch; it can be resumed."""
        self.stopped = reason


class Callback(Protocol):
    """An object that is told of each epoch. What it raises ends the run."""

    def on_epoch_end(self, state: EpochState) -> object:
        """Called in the main process after each epoch that was completed."""
        ...
