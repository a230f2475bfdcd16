"""Held-out Dice, its interval and the calibrated threshold, against values computed by hand."""

import numpy as np
import pytest

from diapir.adaptation.held_out_score import HeldOutScore, calibrate, score


def test_dice_of_labelled_samples_only() -> None:
    probability = np.array([[0.9, 0.9, 0.1, 0.9]], np.float32)
    mask = np.array([[1, 0, 1, 255]], np.uint8)
    found = score([probability], [mask], 0.5)
    assert found.dice == pytest.approx(0.5)  # one hit, one false, one missed
    assert found.traces == 3
    assert found.salt_share == pytest.approx(2 / 3)
    assert found.ci95 is None  # a single stretch


def test_the_interval_holds_the_dice() -> None:
    rng = np.random.default_rng(3)
    mask = (rng.uniform(size=(40, 320)) < 0.3).astype(np.uint8)
    wrong = rng.uniform(size=mask.shape) < np.linspace(0, 0.3, 320)
    found = score([np.where(wrong, 1 - mask, mask).astype(np.float32)], [mask], 0.5)
    assert found.ci95 is not None
    assert found.ci95[0] < found.dice < found.ci95[1]
    assert HeldOutScore.from_json(found.to_json()) == found


def test_the_threshold_moves_where_that_gains() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[10:] = 1
    probability = np.where(mask == 1, 0.9, 0.1).astype(np.float32)
    probability[:4] = 0.42
    threshold, reason = calibrate([probability], [mask])
    assert threshold == 0.5
    assert reason == "0.5: held-out Dice 1.000, with 0.3 0.833"


def test_the_threshold_never_becomes_high_whatever_one_stretch_gains() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[10:] = 1
    probability = np.where(mask == 1, 0.95, 0.1).astype(np.float32)
    probability[:4] = 0.85
    assert calibrate([probability], [mask])[0] == 0.3


def test_the_threshold_stays_where_nothing_is_gained() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[10:] = 1
    assert calibrate([mask.astype(np.float32)], [mask])[0] == 0.3


@pytest.mark.parametrize("value", [0, 1])
def test_one_class_calibrates_nothing(value: int) -> None:
    mask = np.full((5, 5), value, np.uint8)
    threshold, reason = calibrate([np.full((5, 5), 0.2, np.float32)], [mask])
    assert threshold == 0.3
    assert "one class" in reason
