"""How a comparison describes its method."""

from __future__ import annotations

from pathlib import Path

import pytest

from diapir.comparison.state import StateFile, TrainingState
from diapir.comparison.terms import machine_terms, training_terms
from diapir.comparison.training_plan import ComparisonPlan
from diapir.config import load_recipe
from diapir.evaluation.standings import Candidate, Cost
from diapir.inference import Latency


@pytest.mark.parametrize(
    ("options", "budget", "seeds"),
    [
        ({}, "per training: the epochs of its recipe", "1 training per recipe, with its own seed"),
        (
            {"epochs": 1, "seeds": 2},
            "per training: 1 epoch",
            "2 trainings per recipe: its own seed and the next",
        ),
        (
            {"epochs": 30, "budget_s": 720.0, "seeds": 3},
            "per training: 12 min, or 30 epochs if that ends sooner",
            "3 trainings per recipe: its own seed and the next 2",
        ),
    ],
)
def test_budget_and_seeds(options: dict[str, int], budget: str, seeds: str) -> None:
    plan = ComparisonPlan.of(["lite0/unet"], vary=["no flip: augment.flip=none"], **options)
    trainings = {
        "a": TrainingState("done", stopped="epochs", ended="2024-03-01T22:00:00+01:00"),
        "b": TrainingState("done", stopped="early", ended="2024-03-02T01:00:00+01:00"),
        "c": TrainingState("done", stopped="epochs", ended="2024-03-02T02:00:00+01:00"),
        "d": TrainingState("failed", ended="2024-03-09T02:00:00+01:00"),
    }
    terms = dict(training_terms(plan, StateFile(Path("compare.json"), {}, trainings)))
    assert (terms["Budget"], terms["Seeds"]) == (budget, seeds)
    assert terms["Variants"] == "lite0/unet, no flip: augment.flip=none"
    assert terms["Ended by"] == "the last epoch (2), early stopping (1)"
    assert terms["Trained"] == "2024-03-01 to 2024-03-02"


def test_the_machine() -> None:
    config = load_recipe("baseline")
    timed = Cost(latency=Latency(10.0, 90.0, 16, "torch on cpu", 2))
    candidates = [Candidate(name, config, (1,), timed) for name in "ab"]
    terms = dict(machine_terms([*candidates, Candidate("c", config, (1,), Cost())]))
    assert terms["Engine"] == "torch on cpu, 2 threads"
    assert "Engine" not in dict(machine_terms([]))
