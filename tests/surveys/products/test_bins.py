from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from diapir.surveys.products.bins import cell_size, fit_bins, node_coordinates
from tests.surveys.made_salt import line_grid, volume_grid, without_coordinates

STEP = st.floats(-50, 50)


@given(STEP, STEP, STEP, STEP)
def test_a_regular_grid_is_found_exactly(a: float, b: float, c: float, d: float) -> None:
    assume(abs(a * d - b * c) > 1)
    grid = volume_grid((4, 5, 3), inline=(a, b), crossline=(c, d))
    bins = fit_bins(grid)
    assert bins is not None
    assert bins.misfit < 1e-6
    # inline numbers step by 2, crosslines fall
    assert bins.inline == pytest.approx((a / 2, b / 2), abs=1e-6)
    assert bins.crossline == pytest.approx((-c, -d), abs=1e-6)
    assert bins.area == pytest.approx(abs(a * d - b * c), rel=1e-6)
    places = bins.place(np.array([100.0]), np.array([305.0]))
    assert places[0] == pytest.approx([500_000], abs=1e-4)
    assert places[1] == pytest.approx([6_000_000], abs=1e-4)


def test_unknown_coordinates_have_no_bins() -> None:
    assert fit_bins(without_coordinates(volume_grid((4, 5, 3)))) is None
    zero = np.zeros((4, 5))
    assert fit_bins(replace(volume_grid((4, 5, 3)), easting=zero, northing=zero)) is None


def test_coordinates_of_one_inline_do_not_span_a_volume() -> None:
    grid = volume_grid((4, 5, 3))
    easting = np.full((4, 5), np.nan)
    easting[0] = grid.easting[0]
    assert fit_bins(replace(grid, easting=easting)) is None


def test_gaps_in_coordinates_are_filled_and_known_ones_kept() -> None:
    grid = volume_grid((4, 5, 3))
    moved = grid.easting + np.array([0, 0, 0.5, 0, 0])
    gap = moved.copy()
    gap[1, 1] = np.nan
    broken = replace(grid, easting=gap)
    easting, northing = node_coordinates(broken, fit_bins(broken))
    assert easting[2, 2] == moved[2, 2]
    assert easting[1, 1] == pytest.approx(moved[1, 1], abs=0.5)
    assert np.array_equal(northing, grid.northing)


@pytest.mark.parametrize(
    ("grid", "velocity", "expected"),
    [
        (volume_grid((4, 5, 3)), None, (25 * 12.5 * 4, "m³")),
        (volume_grid((4, 5, 3), domain="time"), None, None),
        (volume_grid((4, 5, 3), domain="time"), 4500, (25 * 12.5 * 4 * 2.25, "m³")),
        (volume_grid((4, 5, 3), domain="unknown"), 4500, None),
        (line_grid(6, 3, "depth"), None, (20 * 2, "m²")),
        (volume_grid((1, 5, 3)), None, (12.5 * 4, "m²")),
        (without_coordinates(volume_grid((4, 5, 3))), None, None),
    ],
)
def test_the_size_of_a_cell(
    grid: object, velocity: float | None, expected: tuple[float, str] | None
) -> None:
    size = cell_size(grid, fit_bins(grid), velocity)  # type: ignore[arg-type]
    if expected is None:
        assert size is None
    else:
        assert size is not None
        assert size[0] == pytest.approx(expected[0])
        assert size[1] == expected[1]


def test_coordinates_too_large_for_arithmetic_have_no_bins() -> None:
    grid = volume_grid((4, 5, 3))
    huge = np.where(np.arange(20).reshape(4, 5) == 7, 1e200, grid.easting)
    assert fit_bins(replace(grid, easting=huge)) is None
