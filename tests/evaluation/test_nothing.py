"""The scores of predicting nothing are those of an evaluation of zeros."""

from __future__ import annotations

import numpy as np
import pytest

from diapir.evaluation import evaluate
from diapir.evaluation.nothing import beats_nothing, predicts_nothing
from tests.evaluation.made import Tiles, random_tiles


@pytest.mark.parametrize("number", [1, 7, 24])
def test_it_scores_as_zeros_do(number: int) -> None:
    tiles, probabilities = random_tiles(number, seed=number, ignored=0.1)
    found = predicts_nothing(evaluate(tiles, probabilities, resamples=0))
    zeros = [np.zeros_like(probability) for probability in probabilities]
    expected = evaluate(tiles, zeros, resamples=0)
    for key in ("kaggle_map", "dice", "iou", "soft_dice"):
        assert found.metrics[key] == pytest.approx(expected.metrics[key], abs=1e-5)
    assert found.tiles == expected.tiles


def test_on_empty_tiles_it_cannot_be_beaten() -> None:
    empty = Tiles([np.zeros((4, 4), np.uint8)] * 3)
    scores = evaluate(empty, [np.zeros((4, 4), np.float32)] * 3, resamples=0)
    nothing = predicts_nothing(scores).metrics
    assert nothing["kaggle_map"] == nothing["dice"] == 1
    assert not beats_nothing(scores.metrics, nothing)


@pytest.mark.parametrize(
    ("scores", "beats"),
    [((0.6, 0.3), True), ((0.6, 0.0001), False), ((0.5, 0.9), False), ((0.501, 0.9), False)],
)
def test_what_beats_it(scores: tuple[float, float], beats: bool) -> None:
    mean, dice = scores
    found = beats_nothing({"kaggle_map": mean, "dice": dice}, {"kaggle_map": 0.5, "dice": 0})
    assert found == beats
