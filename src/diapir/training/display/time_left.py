"""An estimate of the time that a run still takes."""

from __future__ import annotations

import time

RECENT = 5
"""Epochs whose duration is averaged."""


class TimeLeft:
    """Measures whole epochs, validation included.

    Args:
        epochs: the number of epochs of the whole run.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._started: float | None = None
        self._seconds: list[float] = []

    def start_epoch(self, batches_done: int) -> None:
        """Start an epoch of which some batches may be done; then it is not measured."""
        self._started = None if batches_done else time.monotonic()

    def end_epoch(self, epoch: int, budget_s: float | None = None) -> float | None:
        """The seconds left at the end of an epoch (from 1).

        Args:
            epoch: the epoch that ends.
            budget_s: what is left of the time budget; None where there is none.

        Returns:
            0 after the last epoch; None where no epoch was measured.
        """
        if self._started is not None:
            self._seconds = [*self._seconds, time.monotonic() - self._started][-RECENT:]
        if epoch >= self._epochs:
            return 0.0
        if not self._seconds:
            return budget_s
        left = (self._epochs - epoch) * sum(self._seconds) / len(self._seconds)
        return left if budget_s is None else min(left, budget_s)
