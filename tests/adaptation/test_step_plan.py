"""How many steps each stage of an adaptation has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diapir.adaptation.step_plan import MOST_STEPS, StepPlan

plans = st.builds(StepPlan, st.booleans(), st.booleans(), st.integers(1, 5))


@given(plans)
def test_the_stages_share_all_steps(plan: StepPlan) -> None:
    assert sum(plan.weight(stage) for stage in (1, 2, 3)) == pytest.approx(1)
    assert plan.share_of_rest(plan.stages) == pytest.approx(1)
    assert (plan.weight(1) > 0) == plan.holds_out
    assert (plan.weight(3) > 0) == plan.self_trains


@given(plans, st.integers(2, 500))
def test_given_steps_are_done_exactly(plan: StepPlan, total: int) -> None:
    done = 0
    for stage in range(1 if plan.holds_out else 2, plan.stages + 1):
        done += plan.given(total, stage, done)
    assert done == total


def test_within_a_budget_labels_alone_have_at_most_their_steps() -> None:
    plan = StepPlan(True, True)
    assert plan.most(1, 0) == 54
    assert plan.most(2, 54) == MOST_STEPS - 54
    assert plan.most(2, 30) == MOST_STEPS - 30  # what the first stage left
    assert plan.most(3, 120) == 60
    assert StepPlan(True, False, sections=2).most(2, 80) == 100
