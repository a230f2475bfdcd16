import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.inference.tiling import window_count, windows

lengths = st.integers(1, 200)
sizes = st.integers(16, 64)


@settings(deadline=None)
@given(height=lengths, width=lengths, size=sizes, value=st.floats(0, 1, width=32))
def test_constant_values_come_out_constant(
    height: int, width: int, size: int, value: float
) -> None:
    section = np.zeros((height, width), np.float32)
    for window in windows(height, width, size):
        values = np.full(section[window.rows, window.columns].shape, value, np.float32)
        window.add(section, values)
    # near the least float32 numbers a weighted share rounds to nothing
    np.testing.assert_allclose(section, value, rtol=1e-5, atol=1e-30)


@settings(deadline=None)
@given(height=lengths, width=lengths, size=sizes)
def test_every_pixel_is_covered_with_positive_weight(height: int, width: int, size: int) -> None:
    covered = np.zeros((height, width), bool)
    count = 0
    for window in windows(height, width, size):
        assert (window.row_weights > 0).all()
        assert (window.column_weights > 0).all()
        assert window.row_weights.shape == (min(height, size),)
        assert window.column_weights.shape == (min(width, size),)
        # slices within the section, or these shapes would differ
        assert covered[window.rows, window.columns].shape == (min(height, size), min(width, size))
        covered[window.rows, window.columns] = True
        count += 1
    assert covered.all()
    assert count == window_count(height, width, size)


@settings(deadline=None)
@given(length=lengths, size=sizes)
def test_neighbours_share_a_quarter(length: int, size: int) -> None:
    starts = [window.columns.start for window in windows(1, length, size)]
    for before, after in pairwise(starts):
        assert 0 < after - before <= 0.75 * size


def test_weights_are_gaussian() -> None:
    first, second = windows(1, 28, 16)
    assert (first.columns, second.columns) == (slice(0, 16), slice(12, 28))
    # pixel 14 is 6.5 pixels right of the first centre and 5.5 left of the second; σ is 16 / 8 = 2
    near_first, near_second = math.exp(-(6.5**2) / 8), math.exp(-(5.5**2) / 8)
    total = near_first + near_second
    assert first.column_weights[14] == pytest.approx(near_first / total)
    assert second.column_weights[2] == pytest.approx(near_second / total)


def test_what_fits_is_one_window_with_weight_one() -> None:
    (window,) = windows(101, 7, 112)
    assert (window.rows, window.columns) == (slice(0, 101), slice(0, 7))
    assert (window.row_weights == 1).all()
    assert (window.column_weights == 1).all()
