from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diapir.surveys.products.surface_nets import Surface, surface_nets, volume_of
from tests.surveys.made_salt import ball


def edges(surface: Surface) -> np.ndarray:
    """Each triangle's three edges, in its direction."""
    corners = surface.triangles
    return np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])


def test_a_ball_is_closed_round_and_of_the_right_size() -> None:
    centre, radius = (19.3, 20.1, 18.8), 12.4
    surface = surface_nets(ball((40, 40, 40), centre, radius), 0.5)
    away = np.linalg.norm(surface.vertices - centre, axis=1)
    assert away == pytest.approx(radius, abs=0.05)
    assert volume_of(surface) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    _, counts = np.unique(np.sort(edges(surface), axis=1), axis=0, return_counts=True)
    assert set(counts) == {2}
    assert len(surface.vertices) - len(counts) + len(surface.triangles) == 2  # Euler


def test_a_ring_has_a_hole() -> None:
    i, x, s = np.meshgrid(*(np.arange(30) - 14.5,) * 3, indexing="ij")
    away = np.hypot(np.hypot(i, x) - 9, s)
    surface = surface_nets((1 / (1 + np.exp(away - 4))).astype(np.float32), 0.5)
    count = len(np.unique(np.sort(edges(surface), axis=1), axis=0))
    assert len(surface.vertices) - count + len(surface.triangles) == 0


def test_values_up_to_the_edge_are_closed_half_a_cell_outside() -> None:
    surface = surface_nets(np.ones((4, 5, 6), np.float32), 0.5)
    assert surface.vertices.min(axis=0) == pytest.approx([-0.5] * 3)
    assert surface.vertices.max(axis=0) == pytest.approx([3.5, 4.5, 5.5])


def test_no_value_above_the_level_is_no_surface() -> None:
    surface = surface_nets(np.full((3, 3, 3), 0.3, np.float32), 0.5)
    assert surface.vertices.shape == surface.triangles.shape == (0, 3)
    assert volume_of(surface) == 0


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]),
    ),
    st.sampled_from([0.3, 0.5]),
)
def test_any_field_has_a_closed_surface_that_looks_outwards(
    field: np.ndarray, level: float
) -> None:
    surface = surface_nets(field, level)
    assert bool(len(surface.triangles)) == bool((field >= np.float32(level)).any())
    if not len(surface.triangles):
        return
    there = edges(surface)
    forth = there @ (len(surface.vertices), 1)
    back = there[:, ::-1] @ (len(surface.vertices), 1)
    assert np.array_equal(np.sort(forth), np.sort(back))  # every edge is walked both ways
    if field.max() > level:  # else the surface has shrunk to the samples that meet the level
        assert volume_of(surface) > 0
    assert (surface.vertices >= -1).all()
    assert (surface.vertices <= field.shape).all()
