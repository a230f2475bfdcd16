"""The learning rate over the steps of a run."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diapir.config import ScheduleConfig
from diapir.training.schedule import curve, make_schedule

LINE = ScheduleConfig(name="one_cycle", warmup=0.25, floor=0.1)
WAVE = ScheduleConfig(name="cosine", warmup=0.25, floor=0.1)


def optimizer(*rates: float) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return torch.optim.AdamW(groups)


def test_a_line_and_a_wave_by_hand() -> None:
    line = [curve(LINE, step, 8) for step in range(8)]
    rise = [1 / 3, 2 / 3]
    assert line == pytest.approx([*rise, 1, 0.85, 0.7, 0.55, 0.4, 0.25])
    fall = [0.1 + 0.9 * (1 + math.cos(math.pi * share / 6)) / 2 for share in range(6)]
    assert [curve(WAVE, step, 8) for step in range(8)] == pytest.approx([*rise, *fall])


@given(
    name=st.sampled_from(["one_cycle", "cosine"]),
    warmup=st.floats(0, 1),
    floor=st.floats(0, 1),
    steps=st.integers(1, 300),
)
def test_every_curve_rises_to_the_peak_and_falls_to_the_floor(
    name: str, warmup: float, floor: float, steps: int
) -> None:
    config = ScheduleConfig.model_validate({"name": name, "warmup": warmup, "floor": floor})
    shares = [curve(config, step, steps) for step in range(steps)]
    top = shares.index(max(shares))
    assert max(shares) == pytest.approx(1)
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    assert min(shares) > 0
    assert min(shares[top:]) >= floor - 1e-12


def test_each_group_follows_from_its_own_peak_and_halving_lasts() -> None:
    groups = optimizer(1e-2, 1e-3)
    schedule = make_schedule(LINE, groups, 8)
    schedule.before_step(3)
    assert [group["lr"] for group in groups.param_groups] == pytest.approx([8.5e-3, 8.5e-4])
    schedule.halve()
    assert [group["lr"] for group in groups.param_groups] == pytest.approx([4.25e-3, 4.25e-4])
    schedule.after_epoch(1.0)
    others = optimizer(1e-2, 1e-3)
    again = make_schedule(LINE, others, 8)
    again.load_state_dict(schedule.state_dict())
    for each in (schedule, again):
        each.before_step(4)
    assert [group["lr"] for group in others.param_groups] == pytest.approx([3.5e-3, 3.5e-4])
    assert groups.param_groups[0]["lr"] == others.param_groups[0]["lr"]


def test_a_plateau_leaves_steps_alone() -> None:
    groups = optimizer(1e-2)
    schedule = make_schedule(ScheduleConfig(patience=0, factor=0.5), groups, 8)
    schedule.before_step(7)
    assert groups.param_groups[0]["lr"] == 1e-2
    for _ in range(2):
        schedule.after_epoch(1.0)
    assert groups.param_groups[0]["lr"] == 5e-3


def test_new_rates_begin_at_the_whole_peak_again() -> None:
    groups = optimizer(1e-2)
    schedule = make_schedule(LINE, groups, 8)
    schedule.halve()
    schedule.restart()
    schedule.before_step(2)
    assert groups.param_groups[0]["lr"] == pytest.approx(1e-2)


def test_a_plateau_takes_factor_and_patience_of_the_recipe() -> None:
    before = make_schedule(ScheduleConfig(patience=5, factor=0.9), optimizer(1e-2), 8)
    before.after_epoch(1.0)
    groups = optimizer(1e-2)
    schedule = make_schedule(ScheduleConfig(patience=0, factor=0.5), groups, 8)
    schedule.load_state_dict(before.state_dict())
    schedule.restart()
    schedule.after_epoch(2.0)  # worse than what the state remembers
    assert groups.param_groups[0]["lr"] == pytest.approx(5e-3)
