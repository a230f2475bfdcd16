"""Learning rate schedules: by the validation loss, or a curve over all steps."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch.optim import Optimizer

from diapir.config import ScheduleConfig
from diapir.training.saved_state import known_values


class Schedule(Protocol):
    """Sets the learning rates of an optimiser's groups."""

    def before_step(self, step: int) -> None:
        """Set the learning rates for a step (from 0)."""

    def after_epoch(self, val_loss: float) -> None:
        """Take the validation loss of an epoch into account."""

    def halve(self) -> None:
        """Continue with half the learning rates."""

    def restart(self) -> None:
        """Forget earlier halvings: the learning rates were set anew."""

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` restores."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""


def make_schedule(config: ScheduleConfig, optimizer: Optimizer, steps: int) -> Schedule:
    """The schedule of a recipe.

    Args:
        config: the schedule.
        optimizer: its groups have the initial (plateau) or peak learning rates.
        steps: optimiser steps of the whole run.
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
        """Nothing: the rates change between epochs only."""

    def after_epoch(self, val_loss: float) -> None:
        """Lower the rates where the loss has not fallen for `patience` epochs."""
        self._inner.step(val_loss)

    def halve(self) -> None:
        """Continue with half the learning rates."""
        for group in self._optimizer.param_groups:
            group["lr"] /= 2

    def restart(self) -> None:
        """Nothing: the optimiser has the rates."""

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` restores; the optimiser saves the rates."""
        return self._inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state; the recipe has factor and patience."""
        own = self._inner.state_dict()
        settings = {key: own[key] for key in ("factor", "patience")}
        self._inner.load_state_dict(known_values(state, own) | settings)


class Curve:
    """Linear warm-up from 0, then linear (`one_cycle`) or half-cosine decay to the floor.

    Own code, because the rate has to depend on the run's step alone: steps may be skipped or rolled
    back, and torch's schedulers (`OneCycleLR`, `LambdaLR`) count their own calls.
    """

    def __init__(self, config: ScheduleConfig, optimizer: Optimizer, steps: int) -> None:
        self._config = config
        self._optimizer = optimizer
        self._steps = steps
        self._peaks = [float(group["lr"]) for group in optimizer.param_groups]
        self._share = 1.0

    def before_step(self, step: int) -> None:
        """Set the learning rates for a step (from 0)."""
        factor = self._share * curve(self._config, step, self._steps)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def after_epoch(self, val_loss: float) -> None:
        """Nothing: the rates depend on the step alone."""

    def halve(self) -> None:
        """Continue with half the peak."""
        self._share /= 2
        for group in self._optimizer.param_groups:
            group["lr"] /= 2

    def restart(self) -> None:
        """Continue with the whole peak."""
        self._share = 1.0

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` restores."""
        return {"share": self._share}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        self._share = float(state["share"])
        if not 0 < self._share <= 1:
            raise ValueError(f"a share of {self._share} of the learning rate")


def curve(config: ScheduleConfig, step: int, steps: int) -> float:
    """The learning rate at a step (from 0) of `steps` as a share of its peak, in (0, 1]."""
    warmup = min(math.floor(config.warmup * steps), steps - 1)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = min((step - warmup) / max(steps - warmup, 1), 1.0)
    fall = 1 - done if config.name == "one_cycle" else (1 + math.cos(math.pi * done)) / 2
    return config.floor + (1 - config.floor) * fall
