from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.surveys.labels.polygon_labels import contains
from diapir.surveys.labels.raster import fill_polygon, paint_stroke

SHAPE = (9, 11)
PLACES = st.tuples(
    st.floats(-4, 15, allow_nan=False).map(lambda x: round(x, 2)),
    st.floats(-4, 13, allow_nan=False).map(lambda y: round(y, 2)),
)
RINGS = st.lists(PLACES, min_size=3, max_size=9)


def inside(x: float, y: float, ring: NDArray[np.float64]) -> bool:
    """The even-odd rule, one pixel at a time: edges crossed on the way up."""
    crossed = False
    for (x0, y0), (x1, y1) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
        if (x0 <= x) != (x1 <= x):
            (left, at), (right, to) = sorted(((x0, y0), (x1, y1)))
            crossed ^= at + (to - at) * ((x - left) / (right - left)) <= y
    return crossed


@settings(max_examples=60, deadline=None)
@given(st.lists(RINGS, min_size=1, max_size=3))
def test_a_polygon_fills_what_a_point_in_polygon_test_finds(rings: list) -> None:
    arrays = [np.array(ring) for ring in rings]
    filled = fill_polygon(arrays, SHAPE)
    expected = np.array(
        [
            [sum(inside(x, y, ring) for ring in arrays) % 2 == 1 for x in range(SHAPE[1])]
            for y in range(SHAPE[0])
        ]
    )
    assert (filled == expected).all()
    grid = np.stack(np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0])), axis=-1).reshape(-1, 2)
    points = grid.astype(float)
    assert (contains(arrays[0], points).reshape(SHAPE) == fill_polygon(arrays[:1], SHAPE)).all()


def test_neighbouring_polygons_share_no_pixel_and_leave_none_out() -> None:
    left = fill_polygon([np.array([(0, 0), (8, 0), (8, 13), (0, 13)], float)], SHAPE)
    right = fill_polygon([np.array([(8, 0), (17, 0), (17, 13), (8, 13)], float)], SHAPE)
    assert not (left & right).any()
    assert (left | right).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=4), st.floats(0.1, 9), st.floats(0.1, 9))
def test_a_stroke_paints_what_lies_within_the_brush(
    places: list, width: float, height: float
) -> None:
    points = np.array(places)
    painted = paint_stroke(points, (width, height), SHAPE)
    half = np.maximum([width / 2, height / 2], 0.5)
    scaled = points / half
    for y in range(SHAPE[0]):
        for x in range(SHAPE[1]):
            pixel = np.array([x, y]) / half
            away = min(
                distance(pixel, start, end)
                for start, end in zip(scaled, [*scaled[1:], scaled[-1]], strict=True)
            )
            nearest = any((np.rint(point) == (x, y)).all() for point in points)
            if away < 0.999 or nearest:
                assert painted[y, x]
            elif away > 1.001:
                assert not painted[y, x]


def distance(
    point: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> float:
    along = end - start
    length = along @ along
    share = 0.0 if length == 0 else min(1.0, max(0.0, (point - start) @ along / length))
    return float(np.hypot(*(point - start - share * along)))
