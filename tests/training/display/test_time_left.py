"""The time left is the mean of the last whole epochs, and never more than the budget."""

from __future__ import annotations

import pytest

from diapir.training.display import time_left
from diapir.training.display.time_left import TimeLeft


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time_left, "time", made)
    return made


def epoch(
    left: TimeLeft, clock: Clock, number: int, seconds: float, **given: float
) -> float | None:
    left.start_epoch(0)
    clock.now += seconds
    return left.end_epoch(number, **given)


def test_it_is_the_mean_of_the_last_epochs_times_those_to_come(clock: Clock) -> None:
    left = TimeLeft(10)
    assert epoch(left, clock, 1, 100) == 900
    assert epoch(left, clock, 2, 200) == 8 * 150
    for number in range(3, 8):
        found = epoch(left, clock, number, 60)
    assert found == 3 * 60  # the slow ones are forgotten


def test_nothing_is_left_after_the_last_epoch(clock: Clock) -> None:
    assert epoch(TimeLeft(1), clock, 1, 5) == 0


def test_an_epoch_that_was_resumed_within_is_not_measured(clock: Clock) -> None:
    left = TimeLeft(5)
    left.start_epoch(3)
    clock.now += 1
    assert left.end_epoch(2) is None
    assert epoch(left, clock, 3, 7) == 14


def test_a_budget_may_end_sooner(clock: Clock) -> None:
    left = TimeLeft(10)
    assert epoch(left, clock, 1, 100, budget_s=50.0) == 50
    assert epoch(left, clock, 2, 100, budget_s=5000.0) == 800
