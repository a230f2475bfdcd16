from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from diapir.inference.postprocess import label_areas, salt_mask

Masks = NDArray[np.bool_]


def flooded(mask: Masks) -> Iterator[set[tuple[int, int]]]:
    """The areas of one mask, each found by walking from pixel to pixel."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    while left:
        front = [left.pop()]
        area = set(front)
        while front:
            row, column = front.pop()
            for near in (
                (row - 1, column),
                (row + 1, column),
                (row, column - 1),
                (row, column + 1),
            ):
                if near in left:
                    left.remove(near)
                    area.add(near)
                    front.append(near)
        yield area


@settings(max_examples=60, deadline=None)
@given(
    masks=arrays.arrays(
        np.bool_,
        st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
        elements=st.booleans(),
        fill=st.nothing(),
    )
)
def test_areas_are_what_a_walk_from_pixel_to_pixel_finds(masks: Masks) -> None:
    labels, areas = label_areas(masks)
    expected = {
        frozenset((index, *pixel) for pixel in area)
        for index, mask in enumerate(masks)
        for area in flooded(mask)
    }
    found = {
        frozenset(map(tuple, np.argwhere(labels == number).tolist()))
        for number in range(1, len(areas))
    }
    assert found == expected
    assert (labels == 0).tolist() == (~masks).tolist()
    assert areas.tolist() == [0, *((labels == number).sum() for number in range(1, len(areas)))]


def test_a_spiral_is_one_area() -> None:
    spiral = np.zeros((41, 41), np.bool_)
    for ring in range(0, 20, 2):
        inner = slice(ring, 41 - ring)
        spiral[ring, inner] = spiral[40 - ring, inner] = True
        spiral[inner, ring] = spiral[inner, 40 - ring] = True
        spiral[ring + 1, ring] = False
        spiral[ring + 2, ring + 1] = True
    _, areas = label_areas(spiral)
    assert areas.tolist() == [0, spiral.sum()]


def test_corners_do_not_join() -> None:
    assert label_areas(np.eye(4, dtype=np.bool_))[1].tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize(("min_area", "kept"), [(0, 7), (1, 7), (2, 6), (3, 4), (4, 4), (5, 0)])
def test_salt_of_too_few_pixels_is_left_out(min_area: int, kept: int) -> None:
    probability = np.array(
        [
            [0.9, 0.9, 0.1, 0.6, 0.6],
            [0.9, 0.9, 0.1, 0.1, 0.1],
            [0.1, 0.1, 0.1, 0.1, 0.5],
        ],
        np.float32,
    )
    mask = salt_mask(probability, 0.5, min_area)
    assert mask.dtype == np.uint8
    assert mask.sum() == kept
    np.testing.assert_array_equal(salt_mask(probability[None], 0.5, min_area)[0], mask)


def test_the_threshold_is_met_at_float32() -> None:
    assert salt_mask(np.array([[np.float32(0.3)]]), 0.3).item() == 1
    assert salt_mask(np.array([[np.nextafter(np.float32(0.3), 0)]]), 0.3, 1).item() == 0
