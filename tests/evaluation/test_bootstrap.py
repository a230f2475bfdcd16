"""Intervals against what theory and plain, slow resampling say."""

from __future__ import annotations

import numpy as np
import pytest

from diapir.evaluation import Evaluation, evaluate
from tests.evaluation.made import Tiles, random_tiles, sure

KEYS = {
    *("dice", "iou", "dice_per_image", "iou_per_image", "kaggle_map", "soft_dice"),
    *("precision", "recall", "pixel_accuracy", "ece"),
}


def half_right(number: int, *, groups: tuple[str, ...] = ()) -> Evaluation:
    """Tiles of which every other one scores 1 and the rest 0 (all alike within a group)."""
    masks = [np.ones((2, 2), np.uint8)] * number
    groups = groups or tuple(str(index) for index in range(number))
    right = [int(group) % 2 for group in groups]
    probabilities = [np.full((2, 2), value, np.float32) for value in right]
    return evaluate(Tiles(masks, groups=groups), probabilities, resamples=4000)


def test_interval_of_a_share_is_the_binomial_one() -> None:
    low, high = half_right(400).metrics["ci95"]["kaggle_map"]
    margin = 1.96 * 0.5 / np.sqrt(400)
    assert low == pytest.approx(0.5 - margin, abs=0.006)
    assert high == pytest.approx(0.5 + margin, abs=0.006)


def test_groups_are_drawn_whole() -> None:
    """320 tiles of 40 sections say no more than 40 tiles."""
    sections = tuple(str(index // 8) for index in range(320))
    ci95 = half_right(320, groups=sections).metrics["ci95"]
    margin = 1.96 * 0.5 / np.sqrt(40)
    for key in ("kaggle_map", "soft_dice"):
        low, high = ci95[key]
        assert low == pytest.approx(0.5 - margin, abs=0.03), key
        assert high == pytest.approx(0.5 + margin, abs=0.03), key


def test_interval_is_that_of_evaluating_the_drawn_tiles() -> None:
    tiles, probabilities = random_tiles(40, seed=3, ignored=0.1, groups=6)
    ci95 = evaluate(tiles, probabilities, seed=5, resamples=60).metrics["ci95"]
    generator = np.random.default_rng(5)
    drawn_scores = []
    for _ in range(60):
        drawn = generator.integers(6, size=6)
        # group s0 is met first in id order, then s1, …
        rows = [row for group in drawn for row in range(40) if tiles.groups[row] == f"s{group}"]
        again = Tiles([tiles.masks[row] for row in rows])
        drawn_scores.append(
            evaluate(again, [probabilities[row] for row in rows], resamples=0).metrics
        )
    for key in KEYS - {"soft_dice"}:
        expected = np.quantile([scores[key] for scores in drawn_scores], [0.025, 0.975])
        assert ci95[key] == pytest.approx(expected.tolist(), abs=1e-12), key


def test_soft_dice_draws_batches_as_they_are() -> None:
    """Ids in the order of coverage: drawn tiles in new batches would score another thing."""
    empty, full = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    tiles = Tiles([empty] * 160 + [full] * 160)
    wrong_on_empty = [np.full((2, 2), 0.5, np.float32)] * 160 + sure([full] * 160)
    metrics = evaluate(tiles, wrong_on_empty).metrics
    low, high = metrics["ci95"]["soft_dice"]
    margin = 1.96 * 0.5 / np.sqrt(40)
    assert metrics["soft_dice"] == 0.5
    assert (low, high) == (
        pytest.approx(0.5 - margin, abs=0.03),
        pytest.approx(0.5 + margin, abs=0.03),
    )


def test_batches_go_with_the_section_of_most_of_their_tiles() -> None:
    tiles, probabilities = random_tiles(40, seed=2)
    sections = ["s0"] * 12 + ["s1"] * 9 + ["s2"] * 3 + ["s3"] * 16
    tiles = Tiles(tiles.masks, groups=tuple(sections))
    metrics = evaluate(tiles, probabilities, seed=5, resamples=60).metrics
    batches = [
        evaluate(
            Tiles(tiles.masks[start : start + 8]), probabilities[start : start + 8], resamples=0
        ).metrics["soft_dice"]
        for start in range(0, 40, 8)
    ]
    # the second is half s0 and half s1, the third five of s1 and three of s2
    by_section = [batches[0:2], batches[2:3], batches[3:5]]
    generator = np.random.default_rng(5)
    means = [
        np.concatenate([by_section[drawn] for drawn in generator.integers(3, size=3)]).mean()
        for _ in range(60)
    ]
    expected = np.quantile(means, [0.025, 0.975]).tolist()
    assert metrics["ci95"]["soft_dice"] == pytest.approx(expected, abs=1e-12)


def test_seed_decides() -> None:
    tiles, probabilities = random_tiles(30, seed=0)
    first, again, other = (
        evaluate(tiles, probabilities, seed=seed).metrics["ci95"] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_every_metric_has_an_interval_around_it() -> None:
    tiles, probabilities = random_tiles(200, seed=0, ignored=0.1)
    metrics = evaluate(tiles, probabilities).metrics
    assert set(metrics["ci95"]) == KEYS
    for key, (low, high) in metrics["ci95"].items():
        assert low < metrics[key] < high, key


def test_one_section_has_no_interval() -> None:
    tiles, probabilities = random_tiles(30, seed=0, groups=1)
    assert evaluate(tiles, probabilities).metrics["ci95"] == {}


def test_one_batch_has_no_interval_of_soft_dice() -> None:
    tiles, probabilities = random_tiles(8, seed=0)
    assert set(evaluate(tiles, probabilities).metrics["ci95"]) == KEYS - {"soft_dice"}


def test_no_resamples_no_intervals() -> None:
    tiles, probabilities = random_tiles(30, seed=0)
    assert evaluate(tiles, probabilities, resamples=0).metrics["ci95"] == {}
