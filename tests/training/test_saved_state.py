"""What a checkpoint holds is checked before it is restored: its file may be anybody's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch

from diapir.config import ScheduleConfig
from diapir.training.cursor import Cursor
from diapir.training.saved_state import restore_optimizer
from diapir.training.schedule import make_schedule


def trained() -> torch.optim.Optimizer:
    """An optimiser after a step."""
    torch.manual_seed(1)
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer


def test_moments_and_rates_come_back() -> None:
    before = trained()
    before.param_groups[0]["lr"] = 0.005
    saved = copy.deepcopy(before.state_dict())
    again = trained()
    again.state.clear()
    restore_optimizer(again, saved)
    assert again.param_groups[0]["lr"] == 0.005
    for one, other in zip(before.state.values(), again.state.values(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_other_settings_than_the_rate_are_those_of_the_recipe() -> None:
    saved = trained().state_dict()
    saved["param_groups"][0] |= {"betas": (5.0, "x"), "eps": None}
    again = trained()
    restore_optimizer(again, saved)
    assert again.param_groups[0]["betas"] == (0.9, 0.999)


Spoil = Callable[[dict[str, Any]], object]
SPOILT: dict[str, Spoil] = {
    "no rate": lambda saved: saved["param_groups"][0].pop("lr"),
    "a rate in words": lambda saved: saved["param_groups"][0].update(lr="fast"),
    "no group": lambda saved: saved["param_groups"].clear(),
    "no moment": lambda saved: saved["state"][0].pop("exp_avg"),
    "a moment of another shape": lambda saved: saved["state"][0].update(exp_avg=torch.ones(7)),
    "a moment of integers": lambda saved: saved["state"][0].update(
        exp_avg=torch.ones(2, 3, dtype=torch.int64)
    ),
    "a further moment": lambda saved: saved["state"][0].update(more=torch.ones(2, 3)),
    "steps in a row": lambda saved: saved["state"][0].update(step=torch.ones(3)),
    "a weight that is not there": lambda saved: saved["state"].update({9: {}}),
    "a list": lambda saved: saved.update(state=[1]),
}


@pytest.mark.parametrize("name", SPOILT)
def test_another_optimisers_state_is_refused(name: str) -> None:
    saved = trained().state_dict()
    SPOILT[name](saved)
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        restore_optimizer(trained(), saved)


@pytest.mark.parametrize(
    "change",
    [{"epoch": 0}, {"step": -1}, {"batch": "x"}, {"sums": [0.0]}, {"sums": 3}, {"tiles": None}],
)
def test_a_position_that_is_none_is_refused(change: dict[str, Any]) -> None:
    assert Cursor.restored(asdict(Cursor(epoch=3, step=7))) == Cursor(epoch=3, step=7)
    with pytest.raises(ValueError, match=next(iter(change))):
        Cursor.restored(asdict(Cursor()) | change)


def test_a_schedule_keeps_its_own_methods() -> None:
    schedule = make_schedule(ScheduleConfig(), trained(), 10)
    schedule.load_state_dict({"step": 3, "best": 0.5})
    schedule.after_epoch(0.4)
    with pytest.raises(TypeError, match="best"):
        schedule.load_state_dict({"best": "good"})
    with pytest.raises(ValueError, match="share"):
        make_schedule(ScheduleConfig(name="cosine"), trained(), 10).load_state_dict({"share": 9})
