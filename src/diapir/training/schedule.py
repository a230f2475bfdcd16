"""How the learning rate moves: by the validation loss, or along a curve over all steps."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch.optim import Optimizer

from diapir.config import ScheduleConfig


class Schedule(Protocol):
    """Sets the learning rates of an optimiser's groups."""

    def before_step(self, step: int) -> None:
        """Set the rates of a step, counted from 0."""

    def after_epoch(self, val_loss: float) -> None:
        """Take note of an epoch's validation loss."""

    def halve(self) -> None:
        """Go on with half the learning rates."""

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


def make_schedule(config: ScheduleConfig, optimizer: Optimizer, steps: int) -> Schedule:
    """The schedule of a recipe.

    Args:
        config: the schedule.
        optimizer: whose groups have the learning rates that it starts or peaks at.
        steps: of the whole run.
    """
    if config.name == "plateau":
        return Plateau(config, optimizer)
    return Curve(config, optimizer, steps)


class Plateau:
    """`torch.optim.lr_scheduler.ReduceLROnPlateau` on the validation loss."""

    def __init__(self, config: ScheduleConfig, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._inner = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=config.factor, patience=config.patience
        )

    def before_step(self, step: int) -> None:
        """Nothing: the rates move between epochs only."""

    def after_epoch(self, val_loss: float) -> None:
        """Lower the rates where the loss has not fallen for long."""
        self._inner.step(val_loss)

    def halve(self) -> None:
        """Go on with half the learning rates."""
        for group in self._optimizer.param_groups:
            group["lr"] /= 2

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from; the optimiser saves its rates itself."""
        return self._inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._inner.load_state_dict(state)


class Curve:
    """A linear rise from 0, then a fall to the floor: linear (`one_cycle`), or a half cosine."""

    def __init__(self, config: ScheduleConfig, optimizer: Optimizer, steps: int) -> None:
        self._config = config
        self._optimizer = optimizer
        self._steps = steps
        self._peaks = [float(group["lr"]) for group in optimizer.param_groups]
        self._share = 1.0

    def before_step(self, step: int) -> None:
        """Set the rates of a step, counted from 0."""
        factor = self._share * curve(self._config, step, self._steps)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def after_epoch(self, val_loss: float) -> None:
        """Nothing: the curve follows the steps alone."""

    def halve(self) -> None:
        """Go on along a curve of half the height."""
        self._share /= 2
        for group in self._optimizer.param_groups:
            group["lr"] /= 2

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from."""
        return {"share": self._share}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._share = float(state["share"])


def curve(config: ScheduleConfig, step: int, steps: int) -> float:
    """Share of the peak learning rate at a step (from 0) of `steps`, in (0, 1]."""
    warmup = min(math.floor(config.warmup * steps), steps - 1)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    fall = 1 - done if config.name == "one_cycle" else (1 + math.cos(math.pi * done)) / 2
    return config.floor + (1 - config.floor) * fall
