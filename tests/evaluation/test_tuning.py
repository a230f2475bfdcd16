"""Post-processing is tuned on held-out predictions, and the gain is cross-validated."""

from __future__ import annotations

import numpy as np
import pytest

from diapir.evaluation import evaluate
from diapir.evaluation.tuning import MIN_AREAS, THRESHOLDS, tune_post_processing
from tests.evaluation.made import Probability, Tiles, random_tiles


def shifted(number: int, *, speckles: int = 0, seed: int = 0) -> tuple[Tiles, list[Probability]]:
    """Tiles whose salt is right where p ≥ 0.7, with bright specks where no salt is."""
    generator = np.random.default_rng(seed)
    masks, probabilities = [], []
    for index in range(number):
        mask = np.zeros((24, 24), np.uint8)
        mask[: 10 * (index % 2), : generator.integers(6, 20)] = 1
        probability = np.where(mask, 0.75, 0.64).astype(np.float32)
        for _ in range(speckles):
            row, column = generator.integers(14, 23, 2)
            probability[row, column] = 0.9
        masks.append(mask)
        probabilities.append(probability)
    return Tiles(masks), probabilities


def test_the_best_setting_is_found_and_checked() -> None:
    tiles, probabilities = shifted(20, speckles=2)
    tuning = tune_post_processing(tiles, probabilities, threshold=0.5, min_area=0)
    assert tuning.used.kaggle_map < 0.5
    assert 0.64 < tuning.best.threshold <= 0.75
    assert 2 <= tuning.best.min_area <= 20
    assert tuning.best.kaggle_map == tuning.checked == 1
    assert tuning.gains
    assert tuning.chosen == tuning.best
    assert len(tuning.table) == len(THRESHOLDS) * len(MIN_AREAS)


def test_every_setting_scores_as_an_evaluation_does() -> None:
    tiles, probabilities = random_tiles(12, seed=1)
    tuning = tune_post_processing(tiles, probabilities, threshold=0.43, min_area=7)
    for setting in [tuning.used, *tuning.table[::37]]:
        metrics = evaluate(
            tiles,
            probabilities,
            threshold=setting.threshold,
            min_area=setting.min_area,
            resamples=0,
        ).metrics
        assert setting.kaggle_map == pytest.approx(metrics["kaggle_map"], abs=1e-12)


def test_of_equals_the_nearest_to_what_is_in_use_is_taken() -> None:
    tiles, _ = shifted(10)
    perfect = [(mask == 1).astype(np.float32) for mask in tiles.masks]
    tuning = tune_post_processing(tiles, perfect, threshold=0.5, min_area=0)
    assert (tuning.best.threshold, tuning.best.min_area) == (0.5, 0)
    assert not tuning.gains
    assert tuning.chosen == tuning.used


def test_noise_is_not_tuned_to() -> None:
    """The best setting for pure noise is better only on the tiles it was chosen on."""
    gains = []
    for seed in range(8):
        generator = np.random.default_rng(seed)
        masks = [(generator.random((8, 8)) < 0.5).astype(np.uint8) for _ in range(10)]
        masks = [mask * np.uint8(index % 2) for index, mask in enumerate(masks)]
        probabilities = [generator.uniform(0, 0.21, (8, 8)).astype(np.float32) for _ in range(10)]
        tuning = tune_post_processing(Tiles(masks), probabilities, threshold=0.5, min_area=0)
        assert tuning.best.kaggle_map >= tuning.used.kaggle_map
        gains.append(tuning.gains)
    assert not any(gains)


def test_sections_are_kept_together_in_the_check() -> None:
    tiles, probabilities = shifted(20)
    tiles.groups = ("one",) * 20
    tuning = tune_post_processing(tiles, probabilities, threshold=0.5, min_area=0)
    assert tuning.checked is None  # of one section nothing can be left out
    assert tuning.chosen == tuning.used
    assert tuning.to_json()["chosen"]["threshold"] == 0.5
    # a section whose tiles want another threshold cannot vote for itself
    flipped = [np.where(p > 0.7, np.float32(0.3), np.float32(0.1)) for p in probabilities]
    both = Tiles(
        [*tiles.masks, *tiles.masks],
        ids=tuple(f"{index:03d}" for index in range(40)),
        groups=("one",) * 20 + ("two",) * 20,
    )
    tuning = tune_post_processing(both, [*probabilities, *flipped], threshold=0.5, min_area=0)
    assert tuning.best.kaggle_map > tuning.checked


def test_a_setting_that_removes_all_salt_is_no_gain() -> None:
    """On tiles that are mostly empty, predicting nothing scores more than a poor model."""
    masks = [np.zeros((8, 8), np.uint8) for _ in range(20)]
    for mask in masks[:5]:
        mask[2:4, 2:4] = 1
    wrong = [np.full((8, 8), 0.55, np.float32) for _ in masks]
    tuning = tune_post_processing(Tiles(masks), wrong, threshold=0.5, min_area=0)
    assert tuning.nothing == 0.75
    assert tuning.best.kaggle_map == tuning.checked == 0.75 > tuning.used.kaggle_map
    assert not tuning.gains
    assert tuning.chosen == tuning.used
    assert tuning.to_json()["nothing"] == 0.75
