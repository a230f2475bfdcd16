"""Histograms must give the same counts as comparing every pixel with each threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diapir.errors import DataError
from diapir.evaluation.histogram import CALIBRATION_EDGES, SWEEP, count
from tests.evaluation.made import Tiles, random_tiles, row

EDGES = np.concatenate([SWEEP, CALIBRATION_EDGES]).astype(np.float32)
ON_AND_BESIDE_EDGES = np.clip(
    np.concatenate([EDGES, np.nextafter(EDGES, 2), np.nextafter(EDGES, -1)]), 0, 1
)


def test_thresholds_count_every_pixel_on_an_edge() -> None:
    probability = ON_AND_BESIDE_EDGES[None, :]
    mask = (np.arange(probability.size) % 2).astype(np.uint8)[None, :]
    histograms = count(Tiles([mask]), [probability], threshold=0.123)
    for threshold in [*SWEEP.tolist(), 0.123]:
        predicted, salt = probability >= np.float32(threshold), mask == 1
        assert [int(counts[0]) for counts in histograms.tally(threshold)] == [
            (predicted & salt).sum(),
            (predicted & ~salt).sum(),
            (~predicted & salt).sum(),
            (~predicted & ~salt).sum(),
        ]


def test_calibration_bins_hold_their_lower_edge_and_the_last_holds_one() -> None:
    probability = CALIBRATION_EDGES.astype(np.float32)[None, :]
    mask = np.ones(probability.shape, np.uint8)
    pixels, mass, salt = count(Tiles([mask]), [probability], threshold=0.5).calibration()
    assert pixels.tolist() == salt.tolist() == [[1] * 14 + [2]]
    assert mass[0, -1] == np.float64(np.float32(14 / 15)) + 1


def test_sums_over_pixels_and_ignored_ones() -> None:
    tiles = Tiles([row(1, 0, 255, 1), row(255, 255, 255)])
    probabilities = [
        np.array([[0.5, 0.25, 1.0, 0.75]], np.float32),
        np.ones((1, 3), np.float32),
    ]
    histograms = count(tiles, probabilities, threshold=0.5)
    assert histograms.soft_terms().tolist() == [[1.25, 1.5, 2.0], [0, 0, 0]]
    assert histograms.pixels.sum(axis=(1, 2)).tolist() == [3, 0]


@settings(max_examples=50, deadline=None)
@given(
    probability=arrays(
        np.float32,
        (3, 5),
        elements=st.sampled_from(ON_AND_BESIDE_EDGES.tolist()) | st.floats(0, 1, width=32),
    ),
    mask=arrays(np.uint8, (3, 5), elements=st.sampled_from([0, 1, 255])),
    threshold=st.floats(0.001, 0.999),
)
def test_any_threshold_agrees_with_comparing_pixels(
    probability: np.ndarray, mask: np.ndarray, threshold: float
) -> None:
    histograms = count(Tiles([mask]), [probability], threshold=threshold)
    predicted = probability >= np.float32(threshold)
    counts = histograms.tally(threshold)
    assert counts.tp == (predicted & (mask == 1)).sum()
    assert counts.fp == (predicted & (mask == 0)).sum()
    assert sum(counts) == (mask != 255).sum()
    assert histograms.mass.sum() == pytest.approx(
        probability[mask != 255].sum(dtype=np.float64), rel=1e-12
    )


def test_a_tile_says_the_same_alone_and_among_others() -> None:
    tiles, probabilities = random_tiles(7, seed=1, ignored=0.1)
    together = count(tiles, probabilities, threshold=0.5)
    for index, (mask, probability) in enumerate(zip(tiles.masks, probabilities, strict=True)):
        alone = count(Tiles([mask]), [probability], threshold=0.5)
        np.testing.assert_array_equal(alone.pixels[0], together.pixels[index])
        np.testing.assert_array_equal(alone.mass[0], together.mass[index])


@pytest.mark.parametrize(
    ("probability", "found"),
    [
        (np.zeros((2, 3), np.float64), "are float64"),
        (np.zeros((2, 3), bool), "are bool"),
        (np.zeros((3, 2), np.float32), r"shape \(3, 2\), but its mask has \(2, 3\)"),
        (np.zeros((1, 2, 3), np.float32), r"shape \(1, 2, 3\)"),
        (np.full((2, 3), np.nan, np.float32), "not all finite"),
        (np.full((2, 3), np.inf, np.float32), "not all finite"),
        (np.full((2, 3), 255, np.float32), "from 255 to 255"),
        (np.full((2, 3), -0.5, np.float32), "from -0.5 to -0.5"),
    ],
)
def test_values_that_are_not_probabilities_are_refused(probability: np.ndarray, found: str) -> None:
    tiles = Tiles([np.zeros((2, 3), np.uint8)] * 2, ids=("first", "second"))
    with pytest.raises(DataError, match=f"tile 'second' .*{found}") as error:
        count(tiles, [np.zeros((2, 3), np.float32), probability], threshold=0.5)
    assert "2 × 3" in error.value.expected


def test_one_wrong_pixel_is_enough() -> None:
    probability = np.zeros((2, 3), np.float32)
    probability[1, 1] = np.nan
    with pytest.raises(DataError, match="not all finite"):
        count(Tiles([np.zeros((2, 3), np.uint8)]), [probability], threshold=0.5)
