"""Labels of neighbours that contradict each other along their common edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.training.batches.seam_labels import ignore_beside_seams

SIDE = 30


def places(rows: int, columns: int) -> list[tuple[slice, slice]]:
    return [
        (slice(row * SIDE, (row + 1) * SIDE), slice(column * SIDE, (column + 1) * SIDE))
        for row, column in np.ndindex(rows, columns)
    ]


def full_beside_empty() -> NDArray[np.uint8]:
    mask = np.zeros((SIDE, 2 * SIDE), np.uint8)
    mask[:, :SIDE] = 1
    return mask


@pytest.mark.parametrize("turned", [False, True])
def test_background_beside_salt_is_ignored_near_the_seam(turned: bool) -> None:
    mask = full_beside_empty()
    expected = mask.copy()
    expected[:, SIDE : SIDE + 7] = IGNORE
    if turned:
        mask, expected = mask.T.copy(), expected.T
    assert ignore_beside_seams(mask, places(*(2, 1) if turned else (1, 2)), 7) == 1
    assert np.array_equal(mask, expected)


def test_only_rows_that_contradict_and_only_the_tile_itself() -> None:
    mask = np.zeros((SIDE, 3 * SIDE), np.uint8)
    mask[10:, 2 * SIDE :] = 1
    expected = mask.copy()
    expected[10:, SIDE : 2 * SIDE] = IGNORE
    assert ignore_beside_seams(mask, places(1, 3), 500) == 1
    assert np.array_equal(mask, expected)


def test_outlines_that_miss_each_other_by_little_are_kept() -> None:
    mask = np.zeros((SIDE, 2 * SIDE), np.uint8)
    mask[12:, :SIDE] = mask[20:, SIDE:] = 1
    before = mask.copy()
    assert ignore_beside_seams(mask, places(1, 2), 9) == 0
    assert np.array_equal(mask, before)


def test_unlabelled_neighbours_and_gaps_say_nothing() -> None:
    mask = full_beside_empty()
    mask[:, SIDE:] = IGNORE
    assert ignore_beside_seams(mask, places(1, 2), 9) == 0
    mask = full_beside_empty()
    assert ignore_beside_seams(mask, places(1, 1), 9) == 0  # no tile to the right
    assert (mask[:, SIDE:] == 0).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(1, 40))
def test_salt_and_ignored_pixels_stay(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([0, 1, IGNORE], np.uint8), (3, 3))
    mask = values.repeat(SIDE, 0).repeat(SIDE, 1)
    before = mask.copy()
    seams = ignore_beside_seams(mask, places(3, 3), width)
    assert np.array_equal(mask[before != 0], before[before != 0])
    assert set(np.unique(mask[before == 0]).tolist()) <= {0, IGNORE}
    pairs = [*zip(values[:, :-1].flat, values[:, 1:].flat, strict=True)]
    pairs += zip(values[:-1].flat, values[1:].flat, strict=True)
    assert seams == sum({*pair} == {0, 1} for pair in pairs)
