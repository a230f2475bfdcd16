from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diapir.surveys.products.intervals import Block, blocks, draw_salt, find_intervals
from tests.surveys.made_salt import volume_grid

VOLUMES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=7),
    elements=st.sampled_from([0.0, 0.2, 0.5, 0.6, 1.0, np.nan]),
)


def trace(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[None, None]


ONE = Block(0, 1, 0, 1)


def test_top_and_base_lie_where_the_probability_crosses_the_threshold() -> None:
    (interval,) = find_intervals(trace(0, 0.25, 0.75, 1, 0.9, 0.1, 0), ONE, 0.5)
    assert (interval["start"], interval["stop"]) == (2, 5)
    assert interval["top"] == pytest.approx(1.5)
    assert interval["base"] == pytest.approx(4.5)
    assert interval["cells"] == 3
    assert interval["weight"] == pytest.approx(2.65)


def test_a_threshold_that_is_met_exactly_lies_on_the_sample() -> None:
    (interval,) = find_intervals(trace(0, 0.5, 0), ONE, 0.5)
    assert (interval["top"], interval["base"]) == (1, 1)


@pytest.mark.parametrize(
    ("values", "top", "base"),
    [
        ((1, 1, 0), np.nan, 1.5),  # from the first sample
        ((0, 1, 1), 0.5, np.nan),  # to the last
        ((np.nan, 1, 0), np.nan, 1.5),  # out of a gap
        ((0, 1, np.nan), 0.5, np.nan),
    ],
)
def test_what_the_data_cuts_off_has_no_top_or_base(
    values: tuple[float, ...], top: float, base: float
) -> None:
    (interval,) = find_intervals(trace(*values), ONE, 0.5)
    assert interval["top"] == pytest.approx(top, nan_ok=True)
    assert interval["base"] == pytest.approx(base, nan_ok=True)


def test_positions_are_those_of_the_grid() -> None:
    probability = np.zeros((2, 3, 4), np.float32)
    probability[1, 2, 3] = 1
    (interval,) = find_intervals(probability, Block(10, 12, 20, 23), 0.5)
    assert (interval["inline"], interval["crossline"], interval["start"], interval["stop"]) == (
        11,
        22,
        3,
        4,
    )


@given(VOLUMES, st.sampled_from([0.3, 0.5, 1.0]))
def test_intervals_hold_exactly_the_salt(probability: np.ndarray, threshold: float) -> None:
    inlines, crosslines, samples = probability.shape
    block = Block(3, 3 + inlines, 5, 5 + crosslines)
    intervals = find_intervals(probability, block, threshold)
    salt = np.nan_to_num(probability) >= np.float32(threshold)
    assert np.array_equal(draw_salt(intervals, block, samples), salt)
    assert intervals["weight"].sum() == pytest.approx(probability[salt].sum(), rel=1e-5)
    order = np.lexsort((intervals["start"], intervals["crossline"], intervals["inline"]))
    assert np.array_equal(order, np.arange(len(intervals)))
    known = np.isfinite(intervals["top"])
    assert (intervals["top"][known] > intervals["start"][known] - 1).all()
    assert (intervals["top"][known] <= intervals["start"][known]).all()


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30)),
    st.tuples(st.integers(1, 16), st.integers(1, 16)),
    st.integers(1, 3000),
)
def test_blocks_cover_each_trace_once_and_hold_whole_chunks(
    shape: tuple[int, int, int], chunk: tuple[int, int], cells: int
) -> None:
    seen = np.zeros(shape[:2], int)
    for block in blocks(volume_grid(shape), chunk=chunk, cells=cells):
        seen[block.slices] += 1
        assert block.inline0 % chunk[0] == block.crossline0 % chunk[1] == 0
        deep, wide = block.inline1 - block.inline0, block.crossline1 - block.crossline0
        assert wide <= chunk[1] or deep * wide * shape[2] <= cells
    assert (seen == 1).all()
