from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.inference.tiling import WindowGrid, grids_text

lengths = st.integers(1, 200)
grids = st.builds(WindowGrid, st.integers(16, 64), st.floats(0, 0.75))


def added(grid: WindowGrid, height: int, width: int, value: float) -> np.ndarray:
    """The section whose windows all have one value."""
    section = np.zeros((height, width), np.float32)
    for window in grid.windows(height, width):
        values = np.full(section[window.rows, window.columns].shape, value, np.float32)
        window.add(section, values)
    return section


@settings(deadline=None)
@given(height=lengths, width=lengths, grid=grids, value=st.floats(0, 1, width=32))
def test_weights_add_up_to_one(height: int, width: int, grid: WindowGrid, value: float) -> None:
    # near the least float32 numbers a weighted share rounds to nothing
    np.testing.assert_allclose(added(grid, height, width, value), value, rtol=1e-5, atol=1e-30)


@settings(deadline=None)
@given(height=lengths, width=lengths, grid=grids)
def test_every_pixel_is_covered_with_positive_weight(
    height: int, width: int, grid: WindowGrid
) -> None:
    covered = np.zeros((height, width), bool)
    shape = min(height, grid.size), min(width, grid.size)
    count = 0
    for window in grid.windows(height, width):
        assert (window.row_weights > 0).all()
        assert (window.column_weights > 0).all()
        assert (len(window.row_weights), len(window.column_weights)) == shape
        # slices within the section, or these shapes would differ
        assert covered[window.rows, window.columns].shape == shape
        covered[window.rows, window.columns] = True
        count += 1
    assert covered.all()
    assert count == grid.count(height, width)


@settings(deadline=None)
@given(length=lengths, grid=grids)
def test_neighbours_share_at_least_the_overlap(length: int, grid: WindowGrid) -> None:
    starts = [window.columns.start for window in grid.windows(1, length)]
    for before, after in pairwise(starts):
        assert 0 < after - before <= max(1, (1 - grid.overlap) * grid.size)


@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.75])
def test_weights_fall_to_zero_where_a_window_ends_inside_the_section(overlap: float) -> None:
    """So that neighbouring pixels nowhere take their values from different windows."""
    for window in WindowGrid(64, overlap).windows(1, 300):
        weights = window.column_weights
        if window.columns.start > 0:
            assert weights[0] < 0.005
        if window.columns.stop < 300:
            assert weights[-1] < 0.005
        assert np.abs(np.diff(weights)).max() < 0.15


def test_what_fits_is_one_window_with_weight_one() -> None:
    (window,) = WindowGrid(112, 0.5).windows(101, 7)
    assert (window.rows, window.columns) == (slice(0, 101), slice(0, 7))
    assert (window.row_weights == 1).all()
    assert (window.column_weights == 1).all()


def test_windows_in_words() -> None:
    one, other = WindowGrid(224, 0.5), WindowGrid(101, 0.25)
    assert grids_text([one, one]) == "windows of 224 px, overlap 50 %"
    assert grids_text([one, other]).endswith("224 px, overlap 50 % and 101 px, overlap 25 %")
