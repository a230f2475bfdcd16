"""Distances to the outline of the salt, against all pairs of pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from diapir.training.loss.boundary import boundary_sum, distance_maps, distances


def nearest(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The distance of each pixel to the nearest chosen one, by trying them all."""
    places = np.argwhere(chosen)
    every = np.stack(np.meshgrid(*map(np.arange, chosen.shape), indexing="ij"), axis=-1)
    return np.sqrt(((every[:, :, None] - places) ** 2).sum(axis=-1)).min(axis=-1)


masks = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0, 1, 255]),
)


@given(masks)
def test_distances_are_those_of_all_pairs(mask: NDArray[np.uint8]) -> None:
    chosen = mask == 1
    if chosen.any():
        found = distances(torch.from_numpy(chosen)).numpy()
        np.testing.assert_allclose(found, nearest(chosen), rtol=1e-6)


@given(masks)
def test_maps_are_negative_inside_and_ignore_what_is_ignored(mask: NDArray[np.uint8]) -> None:
    found = distance_maps(torch.from_numpy(mask.astype(np.int64))[None])[0].numpy()
    salt, background = mask == 1, mask == 0
    expected = np.zeros(mask.shape)
    if salt.any() and background.any():
        expected = background * nearest(salt) - salt * (nearest(background) - 1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_row_worked_out_by_hand() -> None:
    mask = torch.tensor([[[0, 0, 1, 1, 1, 255, 0]]])
    assert distance_maps(mask).tolist() == [[[2, 1, 0, -1, -1, 0, 2]]]
    salt = torch.full((1, 1, 7), 0.5)
    assert boundary_sum(salt, mask) == 0.5 * (2 + 1 - 1 - 1 + 2)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_mask_of_one_class_has_no_outline(value: int) -> None:
    assert not distance_maps(torch.full((2, 5, 4), value)).any()
