"""Whole evaluations: by hand, against torchmetrics, by property, and on the real tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from diapir.errors import ConfigError, DataError
from diapir.evaluation import evaluate, evaluate_model
from diapir.evaluation.breakdown import COVERAGE_NAMES
from diapir.inference import salt_mask
from diapir.tiles import load_tiles
from tests.evaluation.made import Probability, Tiles, random_tiles, row, sure

SCORES = (
    *("dice", "iou", "dice_per_image", "iou_per_image", "kaggle_map", "soft_dice"),
    *("precision", "recall", "pixel_accuracy", "ece"),
)


def scores(tiles: Any, probabilities: Sequence[Probability], **options: Any) -> dict[str, Any]:
    return evaluate(tiles, probabilities, resamples=0, **options).metrics


def constant(tiles: Any, value: float) -> list[Probability]:
    return [np.full(tiles.mask(i).shape, value, np.float32) for i in range(len(tiles))]


# ── by hand ──────────────────────────────────────────────────────────────────────────────────


def test_metrics_of_three_tiles_by_hand() -> None:
    tiles = Tiles([row(1, 1, 0, 255), row(0, 0, 0, 0, 0), row(1, 0)])
    probabilities = [
        np.array([[0.9, 0.4, 0.6, 1.0]], np.float32),  # TP, FN, FP, ignored
        np.zeros((1, 5), np.float32),
        np.array([[0.5, 0.25]], np.float32),  # TP on the threshold, TN
    ]
    total = 0.9 + 0.4 + 0.6 + 0.5 + 0.25
    expected = {
        "dice": 4 / 6,
        "iou": 2 / 4,
        "dice_per_image": (2 / 4 + 1 + 1) / 3,
        "iou_per_image": (1 / 3 + 1 + 1) / 3,
        "kaggle_map": (0 + 1 + 1) / 3,
        "soft_dice": 2 * (0.9 + 0.4 + 0.5) / (total + 3),
        "precision": 2 / 3,
        "recall": 2 / 3,
        "pixel_accuracy": 8 / 10,
        # every pixel but the five zeros is alone in its bin
        "ece": (0.1 + 0.6 + 0.6 + 0.5 + 0.25) / 10,
    }
    metrics = scores(tiles, probabilities)
    assert list(metrics) == [*expected, "n_images", "threshold", "ci95"]
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, rel=1e-6)
    assert (metrics["n_images"], metrics["threshold"]) == (3, 0.5)


def test_perfect_prediction() -> None:
    tiles, _ = random_tiles(40, seed=0, ignored=0.1)
    metrics = scores(tiles, sure(tiles.masks))
    assert {key: metrics[key] for key in SCORES} == dict.fromkeys(SCORES, 1.0) | {"ece": 0.0}


def test_all_empty_prediction() -> None:
    tiles, _ = random_tiles(40, seed=0)
    empty = sum(not mask.any() for mask in tiles.masks) / 40
    salt = sum(int(mask.sum()) for mask in tiles.masks) / sum(mask.size for mask in tiles.masks)
    metrics = scores(tiles, constant(tiles, 0))
    assert {key: metrics[key] for key in SCORES} == {
        "dice": 0,
        "iou": 0,
        "dice_per_image": empty,
        "iou_per_image": empty,
        "kaggle_map": empty,
        "soft_dice": 0,  # every batch of 8 has salt
        "precision": 0,
        "recall": 0,
        "pixel_accuracy": 1 - salt,
        "ece": pytest.approx(salt),
    }


def test_nothing_to_find_nothing_found() -> None:
    tiles = Tiles([np.zeros((4, 4), np.uint8)] * 3)
    metrics = scores(tiles, constant(tiles, 0))
    assert {key: metrics[key] for key in SCORES} == dict.fromkeys(SCORES, 1.0) | {"ece": 0.0}


def test_every_tile_counts_alike_in_the_means() -> None:
    """A mean of batch means would give the ninth tile half of the weight."""
    tiles = Tiles([row(1, 1)] * 9)
    probabilities = [*sure([row(1, 1)] * 8), np.zeros((1, 2), np.float32)]
    metrics = scores(tiles, probabilities)
    assert metrics["kaggle_map"] == metrics["dice_per_image"] == 8 / 9
    assert metrics["soft_dice"] == 0.5  # this one is a mean of batches


def test_tiles_are_scored_at_their_own_size() -> None:
    """Predictions in the padding are not scored, and sizes may differ."""
    tiles = Tiles([np.ones((101, 101), np.uint8), np.ones((202, 202), np.uint8)])
    probabilities = constant(tiles, 1.0)
    probabilities[1][:] = 0
    metrics = scores(tiles, probabilities)
    assert metrics["recall"] == 101**2 / (101**2 + 202**2)
    assert metrics["kaggle_map"] == 0.5


def test_threshold_is_inclusive_at_float32() -> None:
    tiles = Tiles([row(1, 1, 0)])
    probability = np.array([[0.3, np.nextafter(np.float32(0.3), 0), 0.0]], np.float32)
    assert scores(tiles, [probability], threshold=0.3)["recall"] == 0.5
    assert scores(tiles, [probability], threshold=np.float64(0.3))["recall"] == 0.5


# ── what an evaluation holds ─────────────────────────────────────────────────────────────────


def test_tile_scores_and_data() -> None:
    tiles = Tiles([row(1, 1, 0, 255), row(0, 0)], ids=("b", "a"), groups=("s", "s"))
    probabilities = [np.array([[1, 0, 1, 1]], np.float32), np.zeros((1, 2), np.float32)]
    evaluation = evaluate(tiles, probabilities, part="val", model={"name": "m"})
    first, second = evaluation.tiles
    assert (first.id, first.group, second.id) == ("b", "s", "a")
    assert (first.coverage, first.predicted, first.dice, first.iou, first.kaggle_ap) == (
        *(2 / 3, 2 / 3, 0.5, 1 / 3, 0.0),
    )
    assert (second.coverage, second.predicted, second.dice, second.kaggle_ap) == (0, 0, 1, 1)
    assert evaluation.model == {"name": "m"}
    assert evaluation.data == {
        "name": "made",
        "part": "val",
        "hash": tiles.hash,
        "n_images": 2,
        "n_groups": 1,
        "n_unscored": 0,
    }


def test_a_tile_without_a_valid_pixel_counts_nowhere() -> None:
    tiles, probabilities = random_tiles(10, seed=0, groups=3)
    expected = evaluate(tiles, probabilities)
    tiles.masks.insert(4, np.full((3, 3), 255, np.uint8))
    probabilities.insert(4, np.ones((3, 3), np.float32))
    more = Tiles(
        tiles.masks,
        ids=(*tiles.ids[:4], "00003b", *tiles.ids[4:]),
        groups=(*tiles.groups[:4], "another", *tiles.groups[4:]),
    )
    found = evaluate(more, probabilities)
    assert found.data == expected.data | {"n_unscored": 1}
    assert found.metrics == expected.metrics
    assert found.tiles == expected.tiles


def test_the_sweep_is_an_evaluation_at_each_threshold() -> None:
    tiles, probabilities = random_tiles(20, seed=0, ignored=0.1)
    rows = evaluate(tiles, probabilities, resamples=0).sweep
    assert [row["threshold"] for row in rows] == [step / 20 for step in range(1, 20)]
    for row_ in rows:
        metrics = scores(tiles, probabilities, threshold=row_["threshold"])
        assert row_ == pytest.approx({key: metrics[key] for key in row_}, abs=1e-12)


def test_classes_of_coverage_hold_their_upper_bound() -> None:
    percents = [0, 1, 5, 6, 20, 21, 40, 41, 60, 61, 80, 81, 100]
    masks = [np.repeat(np.array([1, 0], np.uint8), [n, 100 - n])[None] for n in percents]
    rows = evaluate(Tiles(masks), sure(masks), resamples=0).by_coverage
    assert [row["coverage"] for row in rows] == list(COVERAGE_NAMES)
    assert [row["n_images"] for row in rows] == [1, 2, 2, 2, 2, 2, 2]


def test_coverage_is_of_the_valid_pixels() -> None:
    masks = [row(1, 255, 255, 255, 255)]
    (only,) = evaluate(Tiles(masks), sure(masks), resamples=0).by_coverage
    assert only["coverage"] == "above 80 %"


def test_classes_of_coverage_account_for_the_error() -> None:
    tiles, probabilities = random_tiles(60, seed=0, ignored=0.1)
    evaluation = evaluate(tiles, probabilities, resamples=0)
    rows, metrics = evaluation.by_coverage, evaluation.metrics
    assert sum(row["kaggle_lost"] for row in rows) == pytest.approx(1 - metrics["kaggle_map"])
    assert sum(row["n_images"] for row in rows) == 60
    for key in ("dice_per_image", "iou_per_image", "kaggle_map"):
        mean = sum(row["n_images"] * row[key] for row in rows) / 60
        assert mean == pytest.approx(metrics[key])
    assert sum(row["n_zero"] for row in rows) == sum(tile.dice == 0 for tile in evaluation.tiles)


def test_a_class_of_coverage_scores_as_its_tiles_alone() -> None:
    tiles, probabilities = random_tiles(60, seed=0)
    evaluation = evaluate(tiles, probabilities, resamples=0)
    for found in evaluation.by_coverage:
        inside = [
            index
            for index, tile in enumerate(evaluation.tiles)
            if found["coverage"] == _class_of(tile.coverage)
        ]
        alone = scores(
            Tiles([tiles.masks[index] for index in inside]),
            [probabilities[index] for index in inside],
        )
        for key in set(SCORES) - {"soft_dice"}:
            assert found[key] == pytest.approx(alone[key]), (found["coverage"], key)


def _class_of(coverage: float) -> str:
    return COVERAGE_NAMES[sum(coverage > bound for bound in (0, 0.05, 0.2, 0.4, 0.6, 0.8))]


def test_calibration_bins_give_the_error() -> None:
    tiles, probabilities = random_tiles(30, seed=0, ignored=0.1)
    evaluation = evaluate(tiles, probabilities, resamples=0)
    bins = [row for row in evaluation.calibration if row["pixels"]]
    pixels = sum(row["pixels"] for row in bins)
    error = sum(row["pixels"] * abs(row["probability"] - row["salt"]) for row in bins) / pixels
    assert evaluation.metrics["ece"] == pytest.approx(error)
    assert pixels == sum(int((mask != 255).sum()) for mask in tiles.masks)
    assert all(row["low"] <= row["probability"] <= row["high"] for row in bins)


def test_a_bin_without_pixels_says_nothing() -> None:
    tiles = Tiles([row(0, 1)])
    rows = evaluate(tiles, [np.array([[0, 1]], np.float32)], resamples=0).calibration
    assert len(rows) == 15
    assert [row["pixels"] for row in rows] == [1, *[0] * 13, 1]
    assert rows[7]["probability"] is rows[7]["salt"] is None
    assert (rows[14]["probability"], rows[14]["salt"]) == (1.0, 1.0)


# ── properties ───────────────────────────────────────────────────────────────────────────────

made = st.builds(
    lambda number, seed, ignored: random_tiles(number, seed=seed, ignored=ignored),
    number=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
    ignored=st.sampled_from([0.0, 0.3, 0.9]),
)


@settings(max_examples=50, deadline=None)
@given(made, st.floats(0.01, 0.99))
def test_scores_are_shares(made: tuple[Tiles, list[Probability]], threshold: float) -> None:
    assume(any((mask != 255).any() for mask in made[0].masks))
    metrics = scores(*made, threshold=threshold)
    assert all(0 <= metrics[key] <= 1 for key in SCORES)
    assert metrics["dice"] == pytest.approx(2 * metrics["iou"] / (1 + metrics["iou"]))
    assert metrics["dice"] >= metrics["iou"]
    assert metrics["dice_per_image"] >= metrics["iou_per_image"]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.randoms())
def test_the_order_of_tiles_changes_nothing(seed: int, random: Any) -> None:
    """With their ids, for soft Dice takes its batches in id order."""
    tiles, probabilities = random_tiles(20, seed=seed, ignored=0.1, groups=4)
    order = list(range(20))
    random.shuffle(order)
    shuffled = Tiles(
        [tiles.masks[index] for index in order],
        ids=tuple(tiles.ids[index] for index in order),
        groups=tuple(tiles.groups[index] for index in order),
    )
    first = evaluate(tiles, probabilities, resamples=20)
    second = evaluate(shuffled, [probabilities[index] for index in order], resamples=20)
    for key in SCORES:
        assert second.metrics[key] == pytest.approx(first.metrics[key], abs=1e-12)
        assert second.metrics["ci95"][key] == pytest.approx(first.metrics["ci95"][key], abs=1e-12)
    assert second.tiles == [first.tiles[index] for index in order]


def test_soft_dice_depends_on_ids_and_nothing_else_does() -> None:
    tiles, probabilities = random_tiles(20, seed=0)
    renamed = Tiles(tiles.masks, ids=tuple(f"{index * 7 % 20:02d}" for index in range(20)))
    first, second = scores(tiles, probabilities), scores(renamed, probabilities)
    assert {key for key in SCORES if first[key] != pytest.approx(second[key])} == {"soft_dice"}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1, width=32))
def test_ignored_pixels_change_nothing(seed: int, value: float) -> None:
    tiles, probabilities = random_tiles(10, seed=seed)
    wider = Tiles([np.pad(mask, 2, constant_values=255) for mask in tiles.masks])
    padded = [np.pad(probability, 2, constant_values=value) for probability in probabilities]
    first = evaluate(tiles, probabilities, resamples=0)
    second = evaluate(wider, padded, resamples=0)
    assert first == second


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_swapping_truth_and_prediction_swaps_precision_and_recall(seed: int) -> None:
    tiles, probabilities = random_tiles(6, seed=seed)
    predicted = [(probability >= 0.5).astype(np.uint8) for probability in probabilities]
    first = scores(tiles, sure(predicted))
    second = scores(Tiles(predicted), sure(tiles.masks))
    assert first["precision"] == second["recall"]
    assert [first[key] for key in ("dice", "iou", "iou_per_image", "kaggle_map")] == [
        second[key] for key in ("dice", "iou", "iou_per_image", "kaggle_map")
    ]


# ── an oracle ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "oracle"),
    [
        ("dice", "binary_f1_score"),
        ("iou", "binary_jaccard_index"),
        ("precision", "binary_precision"),
        ("recall", "binary_recall"),
        ("pixel_accuracy", "binary_accuracy"),
        ("ece", "binary_calibration_error"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_pooled_scores_agree_with_torchmetrics(key: str, oracle: str, seed: int) -> None:
    torch = pytest.importorskip("torch")
    oracles = pytest.importorskip("torchmetrics.functional.classification")
    tiles, probabilities = random_tiles(30, seed=seed, ignored=0.1)
    # torchmetrics predicts salt above the threshold and not on it, and gives p = 1 a bin of its own
    pooled = np.concatenate([probability.ravel() for probability in probabilities])
    assert not np.isin(pooled, [0.5, 1.0]).any()
    options = {"n_bins": 15} if key == "ece" else {}
    expected = getattr(oracles, oracle)(
        torch.from_numpy(pooled.astype(np.float64)),
        torch.from_numpy(np.concatenate([mask.ravel() for mask in tiles.masks]).astype(np.int64)),
        ignore_index=255,
        **options,
    )
    assert scores(tiles, probabilities)[key] == pytest.approx(float(expected), abs=1e-6)


# ── a model ──────────────────────────────────────────────────────────────────────────────────


class Predictor:
    """Finds salt of probability 0.4 everywhere."""

    bundles = ()
    batch = 1

    def __init__(self, threshold: float, min_area: int = 0) -> None:
        self.threshold = threshold
        self.min_area = min_area

    def check(self, height: int, width: int) -> None:
        pass

    def describe(self) -> dict[str, Any]:
        return {"name": "flat", "training": {"epoch": 3}}

    def probabilities(
        self, images: Sequence[Any], *, progress: Callable[[int, int], None] | None = None
    ) -> list[Probability]:
        self.seen = [int(image[0, 0]) for image in images]
        if progress:
            progress(len(images), len(images))
        return [np.full(image.shape, 0.4, np.float32) for image in images]


def test_a_model_is_scored_at_its_own_threshold() -> None:
    tiles, _ = random_tiles(10, seed=0)
    seen = []
    predictor = Predictor(0.3)
    evaluation, probabilities = evaluate_model(
        predictor, tiles, part="val", progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(10, 10)]
    assert predictor.seen == list(range(10))
    assert [probability.shape for probability in probabilities] == [m.shape for m in tiles.masks]
    assert evaluation == evaluate(
        tiles,
        probabilities,
        threshold=0.3,
        part="val",
        model={"name": "flat", "training": {"epoch": 3}},
    )
    assert evaluation.metrics["recall"] == 1


def test_a_given_threshold_comes_first() -> None:
    tiles, _ = random_tiles(10, seed=0)
    evaluation, _ = evaluate_model(Predictor(0.3), tiles, threshold=0.45, resamples=0)
    assert (evaluation.metrics["threshold"], evaluation.metrics["recall"]) == (0.45, 0)


def test_the_minimum_size_is_the_models_own_unless_given() -> None:
    tiles, _ = random_tiles(10, seed=0)
    largest = max(mask.size for mask in tiles.masks)
    predictor = Predictor(0.3, min_area=largest + 1)
    evaluation, _ = evaluate_model(predictor, tiles, resamples=0)
    assert (evaluation.metrics["min_area"], evaluation.metrics["recall"]) == (largest + 1, 0)
    evaluation, _ = evaluate_model(predictor, tiles, min_area=0, resamples=0)
    assert evaluation.metrics["recall"] == 1
    assert "min_area" not in evaluation.metrics


# ── minimum component size ───────────────────────────────────────────────────────────────────


@settings(max_examples=30, deadline=None)
@given(made, st.sampled_from([0.3, 0.5, 0.62]), st.integers(2, 9))
def test_a_minimum_size_scores_as_if_smaller_components_were_background(
    made: tuple[Tiles, list[Probability]], threshold: float, min_area: int
) -> None:
    tiles, probabilities = made
    assume(any((mask != 255).any() for mask in tiles.masks))
    metrics = scores(tiles, probabilities, threshold=threshold, min_area=min_area)
    cleaned = [
        salt_mask(probability, threshold, min_area).astype(np.float32)
        for probability in probabilities
    ]
    expected = scores(tiles, cleaned, threshold=0.5)
    raw = scores(tiles, probabilities, threshold=threshold)
    assert metrics["min_area"] == min_area
    for key in ("dice", "iou", "dice_per_image", "kaggle_map", "precision", "recall"):
        assert metrics[key] == expected[key]
    for key in ("soft_dice", "ece"):
        assert metrics[key] == raw[key]


def test_the_sweep_removes_small_components_too() -> None:
    tiles, probabilities = random_tiles(5, seed=2)
    found = evaluate(tiles, probabilities, min_area=4, resamples=0)
    for row_ in found.sweep:
        metrics = scores(tiles, probabilities, threshold=row_["threshold"], min_area=4)
        assert row_["kaggle_map"] == metrics["kaggle_map"]
        assert row_["dice"] == metrics["dice"]


# ── what is refused ──────────────────────────────────────────────────────────────────────────


def test_no_tiles() -> None:
    with pytest.raises(DataError, match="no tiles to score"):
        evaluate(Tiles([]), [])


def test_unlabelled_tiles() -> None:
    with pytest.raises(DataError, match="have no masks"):
        evaluate(Tiles([row(0)], labelled=False), [np.zeros((1, 1), np.float32)])


@pytest.mark.parametrize("number", [0, 1, 3])
def test_probabilities_of_other_tiles(number: int) -> None:
    with pytest.raises(DataError, match=f"{number} predictions for 2 tiles"):
        evaluate(Tiles([row(0)] * 2), [np.zeros((1, 1), np.float32)] * number)


def test_nothing_but_ignored_pixels() -> None:
    tiles = Tiles([row(255, 255)] * 2)
    with pytest.raises(DataError, match="every pixel of the 2 tiles"):
        evaluate(tiles, constant(tiles, 0.5))


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.5, 50.0, float("nan")])
def test_threshold_out_of_range(threshold: float) -> None:
    tiles, probabilities = random_tiles(3, seed=0)
    with pytest.raises(ConfigError, match="the threshold is"):
        evaluate(tiles, probabilities, threshold=threshold)


def test_fewer_than_no_resamples() -> None:
    tiles, probabilities = random_tiles(3, seed=0)
    with pytest.raises(ConfigError, match="-1 bootstrap resamples"):
        evaluate(tiles, probabilities, resamples=-1)


def test_a_model_is_not_run_for_nothing() -> None:
    class Unused(Predictor):
        def probabilities(self, images: Any, *, progress: Any = None) -> list[Probability]:
            raise AssertionError("the model ran")

    tiles, _ = random_tiles(3, seed=0)
    with pytest.raises(ConfigError):
        evaluate_model(Unused(0.5), tiles, threshold=2)
    with pytest.raises(DataError):
        evaluate_model(Unused(0.5), Tiles([]))


# ── tiles as they are read ───────────────────────────────────────────────────────────────────


def test_tiles_from_a_folder(tmp_path: Path) -> None:
    masks = {"a": row(*[1, 0, 255] * 12), "b": row(*[0] * 40)}
    for name, mask in masks.items():
        for kind, pixels in (("images", np.arange(mask.size, dtype=np.uint8)), ("masks", mask)):
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(pixels.reshape(4, -1)).save(tmp_path / kind / f"{name}.png")
    tiles = load_tiles(tmp_path, encoding="index")
    evaluation, _ = evaluate_model(Predictor(0.3), tiles, resamples=0)
    assert evaluation.data["hash"] == tiles.hash
    assert evaluation.metrics["precision"] == 12 / (24 + 40)
    assert [tile.coverage for tile in evaluation.tiles] == tiles.coverage.tolist() == [0.5, 0]


# ── the real tiles ───────────────────────────────────────────────────────────────────────────


@pytest.mark.real
def test_perfect_and_empty_predictions_of_the_real_tiles(real_tgs_zip: Path) -> None:
    tiles = load_tiles(real_tgs_zip)
    masks = [tiles.mask(index) for index in range(len(tiles))]
    perfect = scores(tiles, sure(masks))
    assert {key: perfect[key] for key in SCORES} == dict.fromkeys(SCORES, 1.0) | {"ece": 0.0}

    empty = scores(tiles, constant(tiles, 0))
    share = sum(not mask.any() for mask in masks) / len(masks)
    assert 0.385 < share < 0.395
    assert empty["kaggle_map"] == empty["dice_per_image"] == empty["iou_per_image"] == share
    assert empty["dice"] == empty["precision"] == empty["recall"] == 0
    assert empty["ece"] == pytest.approx(1 - empty["pixel_accuracy"])
    assert 1 - empty["pixel_accuracy"] == pytest.approx(0.248, abs=0.005)

    full = scores(tiles, constant(tiles, 1))
    assert full["recall"] == 1
    assert full["kaggle_map"] < 0.2  # no empty tile scores
    assert full["precision"] == pytest.approx(1 - empty["pixel_accuracy"])
