"""Differences between models by hand, by property, and against evaluating the drawn tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.errors import DataError
from diapir.evaluation import PAIRED, Comparison, Evaluation, check_comparable, evaluate
from diapir.tiles import Split
from tests.evaluation.made import Tiles, random_tiles, row, sure

TILES, SURE = random_tiles(24, seed=1, ignored=0.1, groups=6)


def noisy(seed: int, strength: float = 0.5) -> Evaluation:
    """A model on `TILES`: the ground truth, blurred by noise."""
    generator = np.random.default_rng(seed)
    noise = [generator.random(probability.shape) for probability in SURE]
    probabilities = [
        ((1 - strength) * (mask == 1) + strength * blur).astype(np.float32)
        for mask, blur in zip(TILES.masks, noise, strict=True)
    ]
    return evaluate(TILES, probabilities)


def of(seeds: list[int], strength: float = 0.8) -> list[Evaluation]:
    return [noisy(seed, strength) for seed in seeds]


models = st.lists(st.integers(0, 30), min_size=1, max_size=3)


# ── by hand ──────────────────────────────────────────────────────────────────────────────────


def test_pooled_and_mean_scores_by_hand() -> None:
    """Two tiles of other sizes: 4 pixels of salt wholly found, and 2 of which one is found."""
    tiles = Tiles([row(1, 1, 1, 1), row(1, 1, 0, 0, 0, 0, 255)], groups=("a", "b"))
    half = [tiles.masks[0].astype(np.float32), np.eye(1, 7, dtype=np.float32)]
    comparison = Comparison(
        {"all": [evaluate(tiles, sure(tiles.masks))], "half": [evaluate(tiles, half)]}
    )

    assert comparison.score("all", "dice").value == 1
    assert comparison.score("half", "dice").value == pytest.approx(2 * 5 / (5 + 6))
    assert comparison.score("half", "iou").value == pytest.approx(5 / 6)
    # IoU of the second tile is 1/2, which exceeds none of the thresholds
    assert comparison.score("half", "kaggle_map").value == 0.5
    difference = comparison.difference("half", "all", "kaggle_map")
    assert difference.value == -0.5
    # the resamples draw a and a, a and b, or b and b: 0, −1/2 or −1
    assert (difference.low, difference.high) == (-1, 0)
    assert difference.verdict == "no difference shown"
    assert comparison.difference("half", "all", "dice").value == pytest.approx(-1 / 11)


def test_a_difference_in_every_tile_is_shown() -> None:
    masks = [row(1, 1, 1, 1, 0, 0, 0, 0)] * 10
    tiles = Tiles(masks)
    three = [np.array([[1, 1, 1, 0, 0, 0, 0, 0]], np.float32)] * 10
    comparison = Comparison(
        {"sure": [evaluate(tiles, sure(masks))], "three": [evaluate(tiles, three)]}
    )

    better = comparison.difference("sure", "three", "dice")
    assert better.value == pytest.approx(1 - 6 / 7)
    assert (better.low, better.high) == pytest.approx((1 - 6 / 7, 1 - 6 / 7))
    assert better.verdict == "better"
    assert comparison.difference("three", "sure", "dice").verdict == "worse"
    # IoU 3/4 exceeds 0.50 … 0.70: five of ten thresholds
    assert comparison.difference("sure", "three", "kaggle_map").value == 0.5


def test_seeds_are_averaged_and_their_overlap_told() -> None:
    comparison = Comparison({"a": of([1, 2]), "b": of([3, 4]), "one": of([5])})

    for key in PAIRED:
        score = comparison.score("a", key)
        expected = [run.metrics[key] for run in of([1, 2])]
        assert score.by_seed == pytest.approx(expected)
        assert score.value == pytest.approx(np.mean(expected))
        difference = comparison.difference("a", "b", key)
        mean = comparison.score("b", key).value
        assert difference.by_seed == pytest.approx([value - mean for value in expected])
        others = [run.metrics[key] for run in of([3, 4])]
        apart = min(expected) > max(others) or max(expected) < min(others)
        assert difference.seeds_overlap == (not apart)
    assert comparison.difference("a", "one", "dice").seeds_overlap is None


def test_seeds_overlap_unless_all_of_one_beat_all_of_the_other() -> None:
    weak, strong = of([1, 2], 0.95), of([3, 4], 0.52)
    comparison = Comparison(
        {"weak": weak, "strong": strong, "mixed": [weak[0], strong[0]], "again": weak}
    )
    assert comparison.difference("strong", "weak", "dice").seeds_overlap is False
    assert comparison.difference("weak", "strong", "dice").seeds_overlap is False
    assert comparison.difference("mixed", "weak", "dice").seeds_overlap
    assert comparison.difference("again", "weak", "dice").seeds_overlap


# ── intervals ────────────────────────────────────────────────────────────────────────────────


def test_with_one_seed_scores_and_intervals_are_those_of_the_evaluation() -> None:
    evaluation = noisy(7)
    comparison = Comparison({"a": [evaluation], "b": [noisy(8)]})
    for key in (*PAIRED, "soft_dice"):
        score = comparison.score("a", key)
        assert score.value == pytest.approx(evaluation.metrics[key], abs=1e-12)
        expected = evaluation.metrics["ci95"][key]
        assert [score.low, score.high] == pytest.approx(expected, abs=1e-12)


def test_interval_of_a_difference_is_that_of_evaluating_the_drawn_tiles() -> None:
    a, b = of([1, 2]), of([3])
    comparison = Comparison({"a": a, "b": b}, seed=5, resamples=50)
    order = sorted(range(24), key=TILES.ids.__getitem__)
    generator = np.random.default_rng(5)
    drawn: list[list[int]] = []
    for _ in range(50):
        groups = generator.integers(6, size=6)
        drawn.append([i for group in groups for i in order if TILES.groups[i] == f"s{group}"])

    def pooled(run: Evaluation, rows: list[int]) -> float:
        """Dice of the drawn tiles."""
        tiles = [run.tiles[i] for i in rows]
        both = [(tile.coverage + tile.predicted) * tile.pixels for tile in tiles]
        found = [tile.dice * pixels for tile, pixels in zip(tiles, both, strict=True)]
        return sum(found) / sum(both)

    def mean(run: Evaluation, rows: list[int]) -> float:
        return float(np.mean([run.tiles[i].kaggle_ap for i in rows]))

    for key, score in (("dice", pooled), ("kaggle_map", mean)):
        differences = [
            np.mean([score(run, rows) for run in a]) - score(b[0], rows) for rows in drawn
        ]
        found = comparison.difference("a", "b", key)
        assert [found.low, found.high] == pytest.approx(np.quantile(differences, [0.025, 0.975]))


def test_pairing_makes_the_interval_of_a_difference_narrower() -> None:
    """Two models that fail on the same tiles: most of what moves both cancels out."""
    comparison = Comparison({"a": [noisy(1, 0.7)], "b": [noisy(1, 0.75)]})
    difference = comparison.difference("a", "b", "dice")
    score = comparison.score("a", "dice")
    assert None not in (difference.low, difference.high, score.low, score.high)
    width = (difference.high or 0) - (difference.low or 0)
    assert width < 0.7 * ((score.high or 0) - (score.low or 0))


def test_a_single_group_has_no_interval_and_shows_no_difference() -> None:
    tiles = Tiles([row(1, 0), row(0, 1)], groups=("one", "one"))
    wrong = [1 - probability for probability in sure(tiles.masks)]
    comparison = Comparison(
        {"right": [evaluate(tiles, sure(tiles.masks))], "wrong": [evaluate(tiles, wrong)]}
    )
    difference = comparison.difference("right", "wrong", "dice")
    assert (difference.value, difference.low, difference.high) == (1, None, None)
    assert difference.verdict == "no difference shown"
    assert comparison.score("right", "soft_dice").low is None


def test_no_resamples_no_intervals() -> None:
    comparison = Comparison({"a": of([1]), "b": of([2])}, resamples=0)
    assert comparison.score("a", "dice").low is None
    assert comparison.difference("a", "b", "dice").high is None


# ── properties ───────────────────────────────────────────────────────────────────────────────


@settings(max_examples=25, deadline=None)
@given(models, models, st.sampled_from(PAIRED))
def test_differences_are_antisymmetric(mine: list[int], others: list[int], key: str) -> None:
    comparison = Comparison({"a": of(mine), "b": of(others)}, resamples=40)
    there, back = comparison.difference("a", "b", key), comparison.difference("b", "a", key)
    assert there.value == -back.value
    assert there.low == pytest.approx(-(back.high or 0), abs=1e-12)
    assert there.high == pytest.approx(-(back.low or 0), abs=1e-12)
    assert there.seeds_overlap == back.seeds_overlap
    if min(abs(there.low or 0), abs(there.high or 0)) > 1e-9:
        opposite = {"better": "worse", "worse": "better"}
        assert opposite.get(there.verdict, there.verdict) == back.verdict


@settings(max_examples=15, deadline=None)
@given(models, st.sampled_from(PAIRED))
def test_identical_models_do_not_differ(seeds: list[int], key: str) -> None:
    comparison = Comparison({"a": of(seeds), "b": of(seeds)}, resamples=40)
    difference = comparison.difference("a", "b", key)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert difference.verdict == "no difference shown"


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(24)), st.sampled_from(PAIRED))
def test_the_order_of_the_tiles_does_not_matter(order: list[int], key: str) -> None:
    a, b = noisy(1), noisy(2)
    shuffled = replace(b, tiles=[b.tiles[place] for place in order])
    plain = Comparison({"a": [a], "b": [b]}, resamples=20).difference("a", "b", key)
    assert Comparison({"a": [a], "b": [shuffled]}, resamples=20).difference("a", "b", key) == plain


# ── what is refused ──────────────────────────────────────────────────────────────────────────


def evaluated(names: tuple[str, ...] = ("x", "y"), digest: str = "0") -> Evaluation:
    masks = [row(1, 0)] * len(names)
    return evaluate(Tiles(masks, ids=names, hash=digest * 64), sure(masks), part="val")


def split(train: tuple[str, ...] = ("t", "u"), val: tuple[str, ...] = ("x", "y")) -> Split:
    tiles = dict.fromkeys((*train, *val), "ab" * 32)
    return Split({"train": train, "val": val}, tiles, 1, "holdout")


def test_other_tiles_are_refused() -> None:
    other = evaluated(names=("x", "z", "w"), digest="1")
    with pytest.raises(DataError, match="b cannot be compared with a") as caught:
        Comparison({"a": [evaluated()], "b": [evaluated(), other]})
    assert "2 tiles of made, part val (000000000000…)" in caught.value.found
    assert "3 tiles of made, part val (111111111111…)" in caught.value.found
    assert "1 ids in common" in caught.value.found


def test_changed_tiles_of_the_same_names_are_refused() -> None:
    with pytest.raises(DataError, match="the ids are the same, but images or masks differ"):
        check_comparable("a", evaluated(), split(), "b", evaluated(digest="1"), split())


def test_another_training_part_is_refused() -> None:
    with pytest.raises(DataError, match="2 and 1 training tiles, 1 in common"):
        check_comparable("a", evaluated(), split(), "b", evaluated(), split(train=("t",)))


def test_the_same_split_is_welcome() -> None:
    check_comparable("a", evaluated(), split(), "b", evaluated(), split())
