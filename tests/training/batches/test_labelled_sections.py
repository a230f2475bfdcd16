"""Windows cut from sections: where they lie, how they are scaled, and what they are called."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.config import IGNORE
from diapir.training.batches.labelled_sections import LabelledSection, SectionSet, unaliased
from tests.training.batches.labelled import EYE, SIDE, section


@settings(max_examples=60, deadline=None)
@given(size=st.integers(16, 80), seed=st.integers(0, 2**32 - 1))
def test_a_window_is_a_piece_of_its_section(size: int, seed: int) -> None:
    source = section()
    image, mask = SectionSet("s", (source,)).window(size, EYE, 0.25, np.random.default_rng(seed))
    assert image.shape == mask.shape == (size, size)
    tops, lefts = (range(side - size + 1) for side in source.image.shape)
    assert any(
        np.array_equal(image, source.image[top : top + size, left : left + size])
        and np.array_equal(mask, source.mask[top : top + size, left : left + size])
        for top in tops
        for left in lefts
    )


@settings(max_examples=40, deadline=None)
@given(size=st.integers(16, 60), seed=st.integers(0, 2**32 - 1))
def test_a_window_is_labelled_enough(size: int, seed: int) -> None:
    _, mask = SectionSet("s", (section(),)).window(size, EYE, 0.25, np.random.default_rng(seed))
    assert (mask != IGNORE).mean() >= 0.25


def test_windows_cross_seams_and_lie_anywhere() -> None:
    chosen = SectionSet("s", (section(),))
    corners = set()
    for seed in range(200):
        image, _ = chosen.window(SIDE, EYE, 0.25, np.random.default_rng(seed))
        corners.add(int(image[0, 0]))
    assert len(corners) > 100


def test_where_no_position_is_labelled_enough_the_best_is_taken() -> None:
    _, mask = SectionSet("s", (section(),)).window(90, EYE, 0.9, np.random.default_rng(1))
    assert (mask != IGNORE).any()


def test_beyond_a_section_pixels_are_reflected_and_not_labelled() -> None:
    source = section(30, 60, [(0, 0), (0, 1)])
    image, mask = SectionSet("s", (source,)).window(60, EYE, 0.1, np.random.default_rng(3))
    inside = np.flatnonzero((mask != IGNORE).any(axis=1))
    assert len(inside) == 30
    top = int(inside[0])
    assert np.array_equal(image[top : top + 30], source.image)
    assert (mask[:top] == IGNORE).all()
    assert (mask[top + 30 :] == IGNORE).all()
    if top:
        assert np.array_equal(image[top - 1], image[top + 1])


def test_a_scaled_window_shows_more_of_the_section() -> None:
    y, x = np.mgrid[:120, :120]
    whole = np.array([[0, 0, 120, 120]], np.int64)
    source = LabelledSection((y + x).astype(np.uint8), (y > 60).astype(np.uint8), whole)
    matrix = np.diag([1.0, 2.0])  # twice as many rows
    image, mask = SectionSet("s", (source,)).window(40, matrix, 0.25, np.random.default_rng(2))
    steps = np.diff(image.astype(int), axis=0)
    assert 1.9 < steps.mean() < 2.1
    assert set(np.unique(np.diff(image.astype(int), axis=1)).tolist()) <= {0, 1, 2}
    assert np.array_equal(mask, mask[:, :1].repeat(40, axis=1))


def test_shrunk_images_are_averaged_first() -> None:
    stripes = torch.zeros(1, 1, 16, 16)
    stripes[:, :, ::2] = 100
    assert torch.equal(unaliased(stripes, EYE), stripes)
    averaged = unaliased(stripes, np.diag([1.0, 2.0]))
    assert averaged.shape == stripes.shape
    assert averaged[0, 0, :-1].sub(50).abs().max() == 0
