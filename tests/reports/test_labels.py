"""Names beside points: none on another, none outside, each near its own point."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.reports.labels import REACH, Box, place

FRAME = Box(0, 0, 800, 400)

coordinates = st.tuples(st.floats(20, 780), st.floats(20, 380))


def test_overlap_is_the_area_of_both() -> None:
    assert Box(0, 0, 4, 4).overlap(Box(2, 3, 9, 9)) == 2
    assert Box(0, 0, 4, 4).overlap(Box(4, 0, 9, 9)) == 0


def test_a_lonely_point_has_its_name_to_the_right() -> None:
    ((box, far),) = place([(100, 100)], [(50, 10)], FRAME)
    assert box == Box(100 + REACH[0], 95, 150 + REACH[0], 105)
    assert not far


def test_at_the_right_edge_the_name_stays_inside() -> None:
    ((box, far),) = place([(795, 100)], [(50, 10)], FRAME)
    assert box.overlap(FRAME) == 500
    assert not far


@settings(max_examples=40, deadline=None)
@given(st.lists(coordinates, min_size=1, max_size=14), st.integers(0, 99))
def test_no_name_is_on_another_or_outside(points: list[tuple[float, float]], seed: int) -> None:
    widths = np.random.default_rng(seed).integers(20, 110, len(points))
    labels = place(points, [(float(width), 12.0) for width in widths], FRAME)
    for label, width in zip(labels, widths, strict=True):
        assert math.isclose(label.box.overlap(FRAME), width * 12.0, rel_tol=1e-6)
    for one, other in itertools.combinations(labels, 2):
        assert one.box.overlap(other.box) == 0


def test_fourteen_models_at_one_place() -> None:
    labels = place([(400.0, 200.0)] * 14, [(100.0, 12.0)] * 14, FRAME)
    for one, other in itertools.combinations(labels, 2):
        assert one.box.overlap(other.box) == 0
    assert any(label.far for label in labels)


def test_where_there_is_no_room_names_are_still_placed() -> None:
    assert len(place([(5.0, 5.0)] * 9, [(90.0, 50.0)] * 9, Box(0, 0, 100, 60))) == 9
