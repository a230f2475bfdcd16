"""Definitions, against values worked out by hand, and the Kaggle metric against known mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.evaluation import metrics
from diapir.evaluation.metrics import KAGGLE_THRESHOLDS, Tally


def tally(tp: int = 0, fp: int = 0, fn: int = 0, tn: int = 0) -> Tally:
    return Tally(*(np.array(float(count)) for count in (tp, fp, fn, tn)))


def test_ratios_by_hand() -> None:
    counts = tally(tp=6, fp=2, fn=4, tn=8)
    assert metrics.dice(counts) == 12 / 18
    assert metrics.iou(counts) == 6 / 12
    assert metrics.precision(counts) == 6 / 8
    assert metrics.recall(counts) == 6 / 10
    assert metrics.pixel_accuracy(counts) == 14 / 20


@pytest.mark.parametrize(
    ("counts", "precision", "recall", "others"),
    [
        (tally(tn=9), 1, 1, 1),  # nothing to find, nothing found
        (tally(fp=1, tn=8), 0, 0, 0),  # nothing to find, something found
        (tally(fn=1, tn=8), 0, 0, 0),  # something to find, nothing found
        (tally(tp=9), 1, 1, 1),
    ],
)
def test_nothing_over_nothing(counts: Tally, precision: int, recall: int, others: int) -> None:
    assert metrics.precision(counts) == precision
    assert metrics.recall(counts) == recall
    assert [metrics.dice(counts), metrics.iou(counts), metrics.kaggle_ap(counts)] == [others] * 3


def test_kaggle_thresholds_are_the_nearest_doubles() -> None:
    assert KAGGLE_THRESHOLDS.dtype == np.float64
    assert KAGGLE_THRESHOLDS.tolist() == [
        *(0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
    ]


@pytest.mark.parametrize("twentieths", range(10, 20))
@pytest.mark.parametrize("scale", [1, 7, 510])
def test_kaggle_iou_on_a_threshold_is_not_a_match(twentieths: int, scale: int) -> None:
    """`>=`, float32 thresholds and thresholds that are added up all fail here."""
    counts = tally(tp=twentieths * scale, fn=(20 - twentieths) * scale)
    assert metrics.iou(counts) == twentieths / 20
    assert metrics.kaggle_ap(counts) == (twentieths - 10) / 10


def test_kaggle_iou_just_above_and_below_a_threshold() -> None:
    assert metrics.kaggle_ap(tally(tp=7001, fp=2999, tn=201)) == 0.5
    assert metrics.kaggle_ap(tally(tp=6999, fp=3001, tn=201)) == 0.4
    assert metrics.kaggle_ap(tally(tp=1, fp=1)) == 0


@pytest.mark.parametrize("coverage", [1, 6121, 9895, 10_201])
def test_kaggle_empty_prediction_of_salt_scores_nothing(coverage: int) -> None:
    """A two-bin histogram of an array of one value gives 1.0 at 97 % salt and .30 at 60 %."""
    assert metrics.kaggle_ap(tally(fn=coverage, tn=10_201 - coverage)) == 0


@pytest.mark.parametrize("fp", [1, 50, 10_201])
def test_kaggle_empty_truth_has_no_partial_credit(fp: int) -> None:
    """An epsilon over and under the fraction line would give some for few pixels."""
    assert metrics.kaggle_ap(tally(fp=fp, tn=10_201 - fp)) == 0
    assert metrics.kaggle_ap(tally(tn=10_201)) == 1


@settings(max_examples=50, deadline=None)
@given(tp=st.integers(0, 41_000), fp=st.integers(0, 41_000), fn=st.integers(0, 41_000))
def test_kaggle_agrees_with_whole_numbers(tp: int, fp: int, fn: int) -> None:
    if tp + fn == 0:
        expected = float(fp == 0)
    else:
        union = tp + fp + fn
        expected = sum(20 * tp > step * union for step in range(10, 20)) / 10
    assert metrics.kaggle_ap(tally(tp, fp, fn)) == expected


def test_soft_dice_by_hand() -> None:
    probability, truth = np.array([0.5, 0.25, 1.0]), np.array([1.0, 0.0, 1.0])
    terms = np.array([(probability * truth).sum(), probability.sum(), truth.sum()])
    assert metrics.soft_dice(terms) == 2 * 1.5 / (1.75 + 2)
    assert metrics.soft_dice(np.zeros(3)) == 1
    assert metrics.soft_dice(np.array([0, 0.5, 0])) == 0


def test_soft_dice_pools_batches_of_eight() -> None:
    eight = np.array([[1.0, 2.0, 1.0]] * 7 + [[0.0, 9.0, 0.0]])
    rest = np.array([[3.0, 3.0, 3.0]])
    batches = metrics.soft_dice_of_batches(np.concatenate([eight, rest]))
    assert batches.tolist() == [14 / 30, 1.0]
    assert metrics.soft_dice_of_batches(eight).tolist() == [14 / 30]


def test_calibration_error_by_hand() -> None:
    # two bins: 10 pixels of mean .2 with 3 of salt, 30 pixels of mean .9 with 24 of salt
    gaps = np.array([10 * 0.2 - 3, 30 * 0.9 - 24])
    assert metrics.calibration_error(gaps, np.array(40.0)) == pytest.approx(
        10 / 40 * abs(0.2 - 0.3) + 30 / 40 * abs(0.9 - 0.8)
    )


def test_sums_of_tiles_give_pooled_and_mean_scores() -> None:
    counts = Tally(
        tp=np.array([6.0, 0, 0]),
        fp=np.array([2.0, 0, 0]),
        fn=np.array([4.0, 3, 0]),
        tn=np.array([8.0, 7, 10]),
    )
    terms = metrics.tile_terms(counts, np.array([[1.0, -2.0], [0.5, 0], [0, 0]]))
    scores = metrics.summarise(terms.sum(axis=0))
    assert scores == {
        "dice": pytest.approx(12 / 21),
        "iou": pytest.approx(6 / 15),
        "dice_per_image": pytest.approx((12 / 18 + 0 + 1) / 3),
        "iou_per_image": pytest.approx((0.5 + 0 + 1) / 3),
        "kaggle_map": pytest.approx((0 + 0 + 1) / 3),
        "precision": pytest.approx(6 / 8),
        "recall": pytest.approx(6 / 13),
        "pixel_accuracy": pytest.approx(31 / 40),
        "ece": pytest.approx((1.5 + 2) / 40),
    }
    shapes = {key: values.shape for key, values in metrics.summarise(terms[None]).items()}
    assert shapes == dict.fromkeys(scores, (1, 3))
