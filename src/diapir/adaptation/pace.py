"""The time budget of an adaptation: how long a step takes, and how many steps fit."""

from __future__ import annotations

import time
from statistics import median

from diapir.errors import ConfigError
from diapir.text import duration

_MEASURED = 3
"""Steps that are timed before the number of steps is decided; the first is slower."""
_SAVING_S = 3.0
"""Time in seconds to save the model and write the report."""


class Pace:
    """Watches the time.

    Args:
        budget_s: time for everything in seconds; None for none.
        started: `time.monotonic()` when it began.
    """

    def __init__(self, budget_s: float | None, started: float) -> None:
        self._budget_s = budget_s
        self._started = self._lap = started
        self._steps: list[float] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._started

    def lap(self) -> float:
        """Seconds since the last call, or since the beginning."""
        now = time.monotonic()
        seconds, self._lap = now - self._lap, now
        return seconds

    def add(self, seconds: float) -> None:
        """Note the duration of a step."""
        self._steps.append(seconds)

    @property
    def known(self) -> bool:
        """Whether enough steps were timed to decide their number."""
        return self._budget_s is not None and len(self._steps) >= _MEASURED

    def steps(self, *, done: int, share: float, passes: float, least: int = 0) -> int:
        """The number of steps of the current stage.

        Args:
            done: its steps so far.
            share: its share of the time that is left.
            passes: predictions that will follow, in batches; one takes a third of a step.
            least: steps that are done even if they exceed the budget; 0 refuses a short one.

        Raises:
            ConfigError: the budget is too short for a single step more.
        """
        step = median(self._steps[1:][-8:])
        budget = self._budget_s or 0.0
        left = budget - self.elapsed - _SAVING_S - passes * step / 3
        if left < step and not least:
            needed = self.elapsed + _SAVING_S + passes * step / 3 + 10 * step
            raise ConfigError(
                f"--budget {duration(budget)} is too short: {duration(self.elapsed)} have passed "
                f"and a step takes {step:.1f} s",
                expected=f"at least {duration(needed)} for these labels on this machine",
                fix="give a longer --budget, or a number of --steps",
            )
        return done + max(1, least, int(share * left / step))
