"""How many steps fit into a budget; the clock is made."""

import pytest

from diapir.adaptation import pace as module
from diapir.adaptation.pace import Pace
from diapir.errors import ConfigError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def timed(budget_s: float | None, seconds: tuple[float, ...] = (5.0, 1.0, 1.0)) -> Pace:
    pace = Pace(budget_s, 0.0)
    for each in seconds:
        pace.add(each)
    return pace


def test_the_steps_fill_the_time_that_is_left(clock: list[float]) -> None:
    clock[0] = 10.0
    pace = timed(60)
    assert pace.known
    # 60 − 10 − 3 for saving − 1 for predictions
    assert pace.steps(done=3, share=0.5, passes=3) == 3 + 23
    assert pace.steps(done=0, share=1.0, passes=3) == 46


def test_the_number_is_not_decided_before_steps_were_timed() -> None:
    assert not timed(60, (5.0, 1.0)).known
    assert not timed(None).known


def test_too_short_a_budget_is_refused_with_what_it_takes(clock: list[float]) -> None:
    clock[0] = 57.0
    with pytest.raises(ConfigError, match="too short") as error:
        timed(60).steps(done=3, share=0.5, passes=3)
    assert "at least" in error.value.expected


def test_a_stage_that_follows_gets_a_few_steps_in_any_case(clock: list[float]) -> None:
    clock[0] = 90.0
    assert timed(60).steps(done=1, share=1.0, passes=3, least=5) == 6


def test_laps_add_up(clock: list[float]) -> None:
    pace = Pace(None, 0.0)
    clock[0] = 4.0
    assert pace.lap() == 4.0
    clock[0] = 5.0
    assert pace.lap() == 1.0
    assert pace.elapsed == 5.0
