"""Validation's figures are those of the evaluation."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from diapir.evaluation.metrics import Tally, kaggle_ap
from diapir.training.validation import kaggle_scores

counts = st.integers(0, 40)


@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=20))
def test_kaggle_scores_are_the_evaluation_s(rows: list[tuple[int, int, int, int]]) -> None:
    table = np.array(rows, np.float64)
    expected = kaggle_ap(Tally(*table.T))
    np.testing.assert_array_equal(kaggle_scores(torch.tensor(table)).numpy(), expected)


def test_an_iou_of_a_threshold_does_not_exceed_it() -> None:
    cases = torch.tensor([[3, 1, 1, 0], [1, 1, 0, 9], [0, 0, 0, 4], [0, 2, 0, 2]])
    scores = kaggle_scores(cases.double())  # IoU 0.6, 0.5, 1 (nothing to find), 0
    assert scores.tolist() == [0.2, 0.0, 1.0, 0.0]
