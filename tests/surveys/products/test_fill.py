from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diapir.surveys.products.fill import Fill, fill_intervals
from diapir.surveys.products.intervals import Block, Intervals, draw_salt, find_intervals

ONE = Block(0, 1, 0, 1)


def intervals_of(*trace: float, bodies: tuple[int, ...]) -> Intervals:
    intervals = find_intervals(np.array(trace, np.float32)[None, None], ONE, 0.5)
    intervals["body"] = bodies
    return intervals


def test_the_interior_of_one_body_is_filled_and_another_stays_apart() -> None:
    intervals = intervals_of(0, 1, 0, 0, 1, 0, 0, 1, 0, bodies=(1, 1, 2))
    filled = fill_intervals(intervals, "body")
    assert filled[["start", "stop", "cells"]].tolist() == [(1, 5, 2), (7, 8, 1)]
    assert filled["top"].tolist() == [0.5, 6.5]
    assert filled["base"].tolist() == [4.5, 7.5]


def test_a_body_within_another_is_taken_in() -> None:
    intervals = intervals_of(0, 1, 0, 1, 0, 1, 0, bodies=(1, 2, 1))
    assert fill_intervals(intervals, "body")[["start", "stop", "cells"]].tolist() == [(1, 6, 3)]


def test_bodies_that_alternate_become_one() -> None:
    intervals = intervals_of(0, 1, 0, 1, 0, 1, 0, 1, bodies=(1, 2, 1, 2))
    (interval,) = fill_intervals(intervals, "body")
    assert (interval["start"], interval["stop"], interval["top"]) == (1, 8, 0.5)
    assert np.isnan(interval["base"])  # as that of the deepest


def test_a_trace_is_filled_from_first_top_to_last_base() -> None:
    intervals = intervals_of(0, 1, 0, 0, 1, 0, 0, 1, 0, bodies=(1, 1, 2))
    assert fill_intervals(intervals, "trace")[["start", "stop", "cells"]].tolist() == [(1, 8, 3)]


@pytest.mark.parametrize("how", ["body", "trace"])
def test_nothing_to_fill_is_no_error(how: Fill) -> None:
    assert len(fill_intervals(intervals_of(0, 0, bodies=()), how)) == 0


@given(
    hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=8)),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_filling_closes_each_trace_of_each_body_and_nothing_else(
    salt: np.ndarray, bodies: int, random: object
) -> None:
    block = Block(2, 2 + salt.shape[0], 3, 3 + salt.shape[1])
    intervals = find_intervals(salt.astype(np.float32), block, 0.5)
    intervals["body"] = [random.randint(1, bodies) for _ in intervals]  # type: ignore[attr-defined]
    expected = np.zeros_like(salt)
    for interval in intervals:
        others = intervals[
            (intervals["inline"] == interval["inline"])
            & (intervals["crossline"] == interval["crossline"])
            & (intervals["body"] == interval["body"])
        ]
        place = interval["inline"] - block.inline0, interval["crossline"] - block.crossline0
        expected[(*place, slice(others["start"].min(), others["stop"].max()))] = True
    filled = fill_intervals(intervals, "body")
    assert np.array_equal(draw_salt(filled, block, salt.shape[2]), expected)
    assert filled["cells"].sum() == intervals["cells"].sum() == salt.sum()
    assert filled["weight"].sum() == pytest.approx(salt.sum())
