"""Augmentation across surveys: off by default, drawn apart, and doing what it says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diapir.config import IGNORE, AugmentConfig, RunConfig
from diapir.errors import ConfigError
from diapir.training.batches.augment import draw
from diapir.training.batches.survey_augment import (
    GREY,
    SurveyAugmentation,
    augment_grey,
    draw_survey,
    rescaled,
    spans_surveys,
)

EVERYTHING: dict[str, Any] = {
    "rescale": 0.6,
    "gamma": 0.6,
    "clip": 0.5,
    "phase": 90.0,
    "lowpass": 0.5,
    "smooth": 0.5,
    "noise": 0.2,
    "mute": 0.5,
}
SEED = (1, 2, 0)


def traces(count: int = 2, height: int = 64, width: int = 20, period: float = 16) -> torch.Tensor:
    """Images of one wave down the traces, about mid-grey."""
    wave = GREY + 60 * torch.cos(2 * torch.pi * torch.arange(height) / period)
    return wave[None, :, None].repeat(count, 1, width)


def masks_of(images: torch.Tensor) -> torch.Tensor:
    masks = torch.ones(images.shape, dtype=torch.int64)
    masks[:, :, -2:] = IGNORE
    return masks


def survey(count: int = 2, **changed: Any) -> SurveyAugmentation:
    """One that changes nothing but what is given."""
    plain = draw_survey(AugmentConfig(), count, SEED)
    fields = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    return SurveyAugmentation(**fields | {name: np.array(value) for name, value in changed.items()})


def test_by_default_nothing_is_changed() -> None:
    assert not spans_surveys(AugmentConfig(flip="random", scale=0.3, polarity=0.5))
    images = traces()
    plain = draw_survey(AugmentConfig(), 2, SEED)
    grey, masks = augment_grey(images, masks_of(images), plain)
    assert torch.equal(grey, images)
    assert torch.equal(masks, masks_of(images))
    augmentation = draw(AugmentConfig(), 2, SEED)
    assert np.array_equal(rescaled(augmentation, plain).matrix, augmentation.matrix)


@pytest.mark.parametrize("key", EVERYTHING)
def test_each_key_asks_for_it_and_moves_no_other_draw(key: str) -> None:
    assert spans_surveys(AugmentConfig(**{key: EVERYTHING[key]}))
    alone = draw_survey(AugmentConfig(**{key: EVERYTHING[key]}), 60, SEED)
    every = draw_survey(AugmentConfig(**EVERYTHING), 60, SEED)
    plain = draw_survey(AugmentConfig(), 60, SEED)
    moved = {"rescale": ("vertical", "horizontal"), "lowpass": ("corner",)}.get(key, (key,))
    for name in moved:
        assert np.array_equal(getattr(alone, name), getattr(every, name))
        assert not np.array_equal(getattr(alone, name), getattr(plain, name))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), share=st.floats(0.05, 1), count=st.integers(1, 12))
def test_what_is_drawn_stays_within_its_ranges(seed: int, share: float, count: int) -> None:
    config = AugmentConfig(**EVERYTHING | {"rescale": share, "vertical_scale": (0.25, 1.5)})
    drawn = draw_survey(config, count, (seed, 0, 0))
    assert len(drawn) == count
    assert ((drawn.vertical >= 0.25) & (drawn.vertical <= 1.5)).all()
    assert ((drawn.horizontal >= 0.5) & (drawn.horizontal <= 1.5)).all()
    assert (np.abs(drawn.phase) <= np.pi / 2).all()
    assert ((drawn.gamma >= 1 / 1.6) & (drawn.gamma <= 1.6)).all()
    assert (drawn.noise <= 0.2 * 255).all()
    again = draw_survey(config, count, (seed, 0, 0))
    part = again.take(slice(0, 1))
    assert np.array_equal(part.mute, drawn.mute[:1])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), height=st.integers(8, 60), width=st.integers(8, 60))
def test_images_stay_images(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.uniform(0, 255, (5, height, width)).astype(np.float32))
    images[0] = 80  # one grey level
    drawn = draw_survey(AugmentConfig(**EVERYTHING), 5, (seed, 1, 0))
    grey, masks = augment_grey(images, masks_of(images), drawn)
    assert grey.shape == images.shape
    assert grey.isfinite().all()
    assert 0 <= grey.min() <= grey.max() <= 255.001
    assert set(masks.unique().tolist()) <= {0, 1, IGNORE}
    part, _ = augment_grey(images[2:], masks_of(images)[2:], drawn.take(slice(2, 5)))
    assert torch.allclose(part, grey[2:], atol=1e-2)  # each as if alone


def test_a_quarter_turn_makes_a_sine_of_a_cosine() -> None:
    images = traces(period=16)
    turned, _ = augment_grey(images, masks_of(images), survey(phase=[np.pi / 2, 0.0]))
    middle = slice(16, 48)
    sine = GREY - 60 * torch.sin(2 * torch.pi * torch.arange(64) / 16)
    assert (turned[0, middle, 3] - sine[middle]).abs().max() < 6
    assert torch.equal(turned[1], images[1])
    # half a turn is the other polarity
    half, _ = augment_grey(images, masks_of(images), survey(phase=[np.pi, np.pi]))
    assert (half[0, middle, 3] - (2 * GREY - images[0, middle, 3])).abs().max() < 6


def test_a_low_pass_filter_keeps_long_waves_and_takes_short_ones() -> None:
    long, short = traces(period=16), traces(period=3)
    middle = slice(16, 48)
    kept, _ = augment_grey(long, masks_of(long), survey(corner=[0.15, 0.15]))
    assert (kept - long)[:, middle].abs().max() < 3
    gone, _ = augment_grey(short, masks_of(short), survey(corner=[0.15, 0.15]))
    assert (gone - GREY)[:, middle].abs().max() < 3


def test_smoothing_goes_down_or_across() -> None:
    images = traces(period=4)
    down, _ = augment_grey(images, masks_of(images), survey(smooth=[[1.6, 0], [0, 1.6]]))
    assert (down[0, 8:-8] - GREY).abs().max() < 0.2 * 60
    assert torch.allclose(down[1], images[1], atol=1e-3)


def test_clipping_stretches_what_is_left_to_the_whole_range() -> None:
    images = torch.linspace(100, 150, 400).reshape(1, 20, 20).repeat(2, 1, 1)
    grey, _ = augment_grey(images, masks_of(images), survey(clip=[[0.05, 0.05], [0, 0]]))
    assert grey[0].min() == 0
    assert grey[0].max() == 255
    assert torch.equal(grey[1], images[1])
    flat = torch.full((2, 20, 20), 80.0)
    assert torch.equal(augment_grey(flat, masks_of(flat), survey(clip=[[0.05, 0.05]] * 2))[0], flat)


def test_gamma_bends_grey_levels_and_keeps_their_order() -> None:
    images = torch.linspace(0, 255, 400).reshape(1, 20, 20).repeat(2, 1, 1)
    grey, _ = augment_grey(images, masks_of(images), survey(gamma=[2.0, 0.5]))
    assert (grey[0].flatten().diff() >= 0).all()
    assert grey[0].mean() < images[0].mean() < grey[1].mean()
    assert torch.allclose(grey[:, -1, -1], torch.tensor(255.0))


def test_noise_is_as_loud_as_drawn_and_its_own() -> None:
    images = torch.full((2, 60, 60), GREY)
    grey, _ = augment_grey(images, masks_of(images), survey(noise=[20.0, 0.0], grain=[1.0, 0.0]))
    assert 18 < grey[0].std() < 22
    assert torch.equal(grey[1], images[1])


@pytest.mark.parametrize("shape", range(5))
def test_mutes_are_constant_and_background(shape: int) -> None:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.uniform(1, 254, (2, 60, 60)).astype(np.float32))
    mute = [[shape, 0.4, 0.5, 0.2, 0.0], [shape, 0.0, 0.5, 0.2, 0.0]]
    grey, masks = augment_grey(images, masks_of(images), survey(mute=mute))
    blank = grey[0] == 0
    assert 0.03 < blank.float().mean() < 0.6
    assert (masks[0][blank] == 0).all()
    assert torch.equal(grey[0][~blank], images[0][~blank])
    assert torch.equal(masks[0][~blank], masks_of(images)[0][~blank])
    assert torch.equal(grey[1], images[1])


def test_rescaling_stretches_height_and_width_apart() -> None:
    augmentation = draw(AugmentConfig(), 2, SEED)
    stretched = rescaled(augmentation, survey(vertical=[0.5, 1.0], horizontal=[1.0, 2.0]))
    assert np.allclose(stretched.matrix[0], [[1, 0], [0, 2]])  # shows twice as many samples
    assert np.allclose(stretched.matrix[1], [[0.5, 0], [0, 1]])


def test_ranges_that_fall_are_refused(tiny: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match="vertical_scale"):
        tiny("augment.vertical_scale=[1.5, 0.5]")
