"""Augmentation: where pixels are sampled, in image and mask alike."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from diapir.config import IGNORE, AugmentConfig, PreprocessConfig
from diapir.preprocess import pad_masks, to_input
from diapir.training.batches.augment import (
    CONTROLS,
    Augmentation,
    alternate_flips,
    augment,
    draw,
)

EVERYTHING: dict[str, Any] = {
    "flip": "random",
    "shift": 0.2,
    "scale": 0.4,
    "stretch": 0.3,
    "rotate": 20.0,
    "brightness": 0.2,
    "contrast": 0.4,
    "polarity": 0.5,
    "cutout": 0.5,
    "elastic": 0.05,
}


def raw(size: int, pad: str = "zero") -> PreprocessConfig:
    """Inputs in [0, 1]."""
    return PreprocessConfig.model_validate(
        {"size": size, "pad": pad, "mean": (0, 0, 0), "std": (1, 1, 1)}
    )


def unchanged(count: int) -> Augmentation:
    return draw(AugmentConfig(), count, (0,))


def augmented(
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    augmentation: Augmentation,
    config: PreprocessConfig,
    size: int | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    seen, kept = augment(
        torch.from_numpy(images), torch.from_numpy(masks), augmentation, config, size
    )
    return seen.numpy(), kept.numpy()


def blobs(height: int, width: int, count: int = 2, seed: int = 0) -> NDArray[np.uint8]:
    """Masks of a disc somewhere."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    masks = [
        (y - rng.uniform(0, height)) ** 2 + (x - rng.uniform(0, width)) ** 2
        < (min(height, width) / 3) ** 2
        for _ in range(count)
    ]
    return np.stack(masks).astype(np.uint8)


@pytest.mark.parametrize("pad", ["zero", "reflect", "edge"])
@pytest.mark.parametrize("shape", [(21, 19), (20, 24), (32, 32)])
def test_without_augmentation_tiles_are_the_usual_input(pad: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (3, *shape), dtype=np.uint8)
    masks = rng.choice(np.array([0, 1, 255], np.uint8), (3, *shape))
    config = PreprocessConfig.model_validate({"size": 32, "pad": pad})
    seen, kept = augmented(images, masks, unchanged(3), config)
    np.testing.assert_allclose(seen, to_input(images, config), atol=2e-4)
    np.testing.assert_array_equal(kept, pad_masks(masks, config))
    assert (seen.dtype, kept.dtype) == (np.float32, np.int64)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(12, 30),
    width=st.integers(12, 30),
    size=st.sampled_from([16, 24, 32]),
    pad=st.sampled_from(["zero", "reflect", "edge"]),
)
def test_image_and_mask_are_taken_from_the_same_places(
    seed: int, height: int, width: int, size: int, pad: str
) -> None:
    masks = blobs(height, width, seed=seed)
    geometry = {key: EVERYTHING[key] for key in ("flip", "shift", "scale", "stretch", "rotate")}
    augmentation = draw(AugmentConfig(**geometry), len(masks), (seed,))
    seen, kept = augmented(masks * np.uint8(255), masks, augmentation, raw(32, pad), size)
    assert seen.shape == (2, 3, size, size)
    assert set(np.unique(kept)) <= {0, 1, IGNORE}
    # what is nearer to salt than to background is salt; at an outline the two may round apart
    sure = (kept != IGNORE) & (np.abs(seen[:, 0] - 0.5) > 0.45)
    np.testing.assert_array_equal((seen[:, 0] > 0.5)[sure], (kept == 1)[sure])
    unsure = (kept != IGNORE) & ~sure
    assert unsure.mean() < 0.25


def dot(augmentation: Augmentation, x: int, y: int) -> tuple[float, float]:
    """Where a dot at (x, y) of a tile of 33 pixels is seen; the centre is (16, 16)."""
    image = np.zeros((1, 33, 33), np.uint8)
    image[0, y - 1 : y + 2, x - 1 : x + 2] = 255
    seen, _ = augmented(image, image // 255, augmentation, raw(33))
    weights = seen[0, 0] / seen[0, 0].sum()
    rows, columns = np.mgrid[:33, :33]
    return float((weights * columns).sum()), float((weights * rows).sum())


def drawn(**extreme: Any) -> Augmentation:
    """The strongest augmentation that a recipe allows, at one end of its draws."""
    found = draw(AugmentConfig(**extreme), 2000, (0,))
    corner = np.abs(found.matrix - np.eye(2)).sum(axis=(1, 2)) + np.abs(found.shift).sum(axis=1)
    index = int(corner.argmax())
    return found.take(slice(index, index + 1))


def test_a_shift_moves_whole_pixels_and_what_comes_in_is_unknown() -> None:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (1, 20, 20), dtype=np.uint8)
    masks = rng.integers(0, 2, (1, 20, 20), dtype=np.uint8)
    shift = replace(unchanged(1), shift=np.array([[0.1, -0.25]]))  # taken from 2 right, 5 above
    seen, kept = augmented(images, masks, shift, raw(20))
    np.testing.assert_array_equal(np.rint(seen[0, 0, 5:, :18] * 255), images[0, :15, 2:])
    np.testing.assert_array_equal(kept[0, 5:, :18], masks[0, :15, 2:])
    assert (kept[0, :5] == IGNORE).all()
    assert (kept[0, :, 18:] == IGNORE).all()


def test_a_flip_is_left_to_right_alone() -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (2, 18, 18), dtype=np.uint8)
    masks = rng.integers(0, 2, (2, 18, 18), dtype=np.uint8)
    flip = replace(unchanged(2), flip=np.array([True, False]))
    seen, kept = augmented(images, masks, flip, raw(18))
    np.testing.assert_array_equal(np.rint(seen[:, 0] * 255)[0], images[0, :, ::-1])
    np.testing.assert_array_equal(kept[0], masks[0, :, ::-1])
    np.testing.assert_array_equal(kept[1], masks[1])


def test_zoom_stretch_and_rotation_map_pixels_as_documented() -> None:
    zoom = drawn(scale=0.5)
    factor = 1 / zoom.matrix[0, 0, 0]
    assert max(factor, 1 / factor) == pytest.approx(1.5, abs=0.01)
    at = dot(zoom, 20, 11)
    assert at == pytest.approx((16 + 4 * factor, 16 - 5 * factor), abs=0.3)

    stretch = drawn(stretch=0.5)
    taller = 1 / stretch.matrix[0, 1, 1]
    assert max(taller, 1 / taller) == pytest.approx(1.5, abs=0.01)
    assert dot(stretch, 20, 11) == pytest.approx((20, 16 - 5 * taller), abs=0.3)

    turn = drawn(rotate=30)
    angle = np.arctan2(turn.matrix[0, 0, 1], turn.matrix[0, 0, 0])
    assert abs(np.rad2deg(angle)) == pytest.approx(30, abs=0.3)
    x, y = dot(turn, 24, 16)
    assert np.hypot(x - 16, y - 16) == pytest.approx(8, abs=0.3)
    assert np.arctan2(y - 16, x - 16) == pytest.approx(angle, abs=0.03)


def test_zoom_means_the_same_of_the_smaller_input() -> None:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (2, 24, 24), dtype=np.uint8)
    masks = np.zeros_like(images)
    masks[:, :12] = 1
    seen, kept = augmented(images, masks, unchanged(2), raw(32, "reflect"), 16)
    whole = to_input(images, raw(32, "reflect"))[:, 0]
    # half the size is the mean of two by two pixels
    means = whole.reshape(2, 16, 2, 16, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(seen[:, 0], means, atol=1e-4)
    assert (kept[:, :2] == IGNORE).all()
    assert (kept[:, 2:8, 2:14] == 1).all()
    assert (kept[:, 8:14, 2:14] == 0).all()


def test_grey_levels_change_as_documented_and_padding_and_mask_do_not() -> None:
    rng = np.random.default_rng(6)
    images = rng.integers(60, 180, (1, 20, 20), dtype=np.uint8)
    masks = blobs(20, 20, 1)
    tile = (slice(6, 26), slice(6, 26))
    plain = images[0].astype(np.float64)
    changes = {
        "offset": (np.array([0.1]), plain + 25.5),
        "gain": (np.array([1.2]), (plain - plain.mean()) * 1.2 + plain.mean()),
        "invert": (np.array([True]), 255 - plain),
    }
    for key, (value, expected) in changes.items():
        augmentation = replace(unchanged(1), **{key: value})
        seen, kept = augmented(images, masks, augmentation, raw(32))
        np.testing.assert_allclose(seen[0, 0][tile] * 255, expected, atol=0.02, err_msg=key)
        assert np.delete(seen[0, 0], np.s_[6:26], axis=0).max() < 1e-5
        np.testing.assert_array_equal(kept, pad_masks(masks, raw(32)))
    bright = replace(unchanged(1), offset=np.array([1.0]))
    assert augmented(images, masks, bright, raw(32))[0].max() == 1  # as bright as a tile can be


def test_a_rectangle_is_painted_grey_on_the_image_alone() -> None:
    images = np.zeros((2, 40, 40), np.uint8)
    masks = np.ones_like(images)
    augmentation = draw(AugmentConfig(cutout=1), 2, (7,))
    seen, kept = augmented(images, masks, augmentation, raw(40))
    assert (kept == 1).all()
    for image, (top, left, bottom, right) in zip(seen[:, 0], augmentation.cutout, strict=True):
        rows, columns = np.nonzero(image > 0.25)
        assert (rows.min(), columns.min()) == (round(top * 40), round(left * 40))
        assert (rows.max() + 1, columns.max() + 1) == (round(bottom * 40), round(right * 40))
        assert np.allclose(image[image > 0.25], 0.5)


def test_draws_follow_from_the_seed_alone_and_each_key_moves_its_own() -> None:
    whole = draw(AugmentConfig(**EVERYTHING), 8, (1, 2))
    again, other = (draw(AugmentConfig(**EVERYTHING), 8, (1, step)) for step in (2, 3))
    for each in fields(Augmentation):
        assert np.array_equal(getattr(whole, each.name), getattr(again, each.name)), each.name
        assert not np.array_equal(getattr(whole, each.name), getattr(other, each.name)), each.name
    less = draw(AugmentConfig(**EVERYTHING | {"cutout": 0.0, "flip": "none"}), 8, (1, 2))
    assert np.array_equal(whole.matrix, less.matrix)
    assert np.array_equal(whole.gain, less.gain)
    assert not less.flip.any()
    assert not less.cutout.any()


def test_draws_stay_within_what_the_recipe_allows() -> None:
    found = draw(AugmentConfig(**EVERYTHING), 4000, (5,))
    assert found.flip.mean() == pytest.approx(0.5, abs=0.05)
    assert found.invert.mean() == pytest.approx(0.5, abs=0.05)
    assert found.cutout.any(axis=1).mean() == pytest.approx(0.5, abs=0.05)
    assert np.abs(found.shift).max() == pytest.approx(0.2, abs=0.01)
    assert np.abs(found.offset).max() == pytest.approx(0.2, abs=0.01)
    assert (found.gain.min(), found.gain.max()) == pytest.approx((1 / 1.4, 1.4), abs=0.01)
    zooms = 1 / np.linalg.norm(found.matrix[:, 0], axis=1)
    assert (zooms.min(), zooms.max()) == pytest.approx((1 / 1.4, 1.4), abs=0.01)
    assert found.cutout.min() >= 0
    assert found.cutout.max() <= 1


@given(seed=st.integers(0, 2**32 - 1), epoch=st.integers(1, 500))
def test_every_tile_is_flipped_in_every_second_epoch(seed: int, epoch: int) -> None:
    ids = [f"tile{number}" for number in range(200)]
    now, after = (alternate_flips(ids, seed=seed, epoch=each) for each in (epoch, epoch + 1))
    assert (now != after).all()
    assert 0.25 < now.mean() < 0.75


def test_elastic_deformation_by_hand() -> None:
    """Control points that all move alike shift the tile; masks keep their values."""
    image = np.arange(33 * 33, dtype=np.int64).reshape(1, 33, 33) % 251
    still = draw(AugmentConfig(), 1, (1,))
    moved = replace(still, elastic=np.full((1, 2, CONTROLS, CONTROLS), 3 / 33))
    seen, kept = augmented(image.astype(np.uint8), (image % 2).astype(np.uint8), moved, raw(33))
    np.testing.assert_allclose(seen[0, 0, :30, :30] * 255, image[0, 3:, 3:], atol=0.1)
    np.testing.assert_array_equal(kept[0, :30, :30], (image % 2)[0, 3:, 3:])
    assert (kept[0, 31:] == IGNORE).all()


def test_elastic_deformation_is_smooth_and_does_not_fold() -> None:
    _, x = np.mgrid[:64, :64].astype(np.uint8)
    strongest = draw(AugmentConfig(elastic=0.05), 40, (3,))
    assert strongest.bend.max() <= 0.05
    images = np.stack([x] * 40) * np.uint8(2)
    seen, kept = augmented(images, images % 2, strongest, raw(64, "edge"))
    inside = kept != IGNORE
    across = np.diff(seen[:, 0] * 255 / 2, axis=2)[inside[:, :, 1:] & inside[:, :, :-1]]
    assert across.min() >= 0  # left stays left of right; at the rim the edge repeats
    assert across.max() < 2.5
    assert np.abs(across - 1).max() > 0.1  # and yet something has moved


@pytest.mark.parametrize("elastic", [0.02, 0.1])
def test_elastic_masks_are_those_of_their_images(elastic: float) -> None:
    masks = np.zeros((6, 40, 40), np.uint8)
    masks[:, 10:30, 12:28] = 1
    augmentation = draw(AugmentConfig(elastic=elastic), 6, (9,))
    seen, kept = augmented(masks * np.uint8(255), masks, augmentation, raw(48, "edge"))
    assert set(np.unique(kept)) <= {0, 1, IGNORE}
    sure = (kept != IGNORE) & (np.abs(seen[:, 0] - 0.5) > 0.45)
    np.testing.assert_array_equal((seen[:, 0] > 0.5)[sure], (kept == 1)[sure])
    again, _ = augmented(
        masks * np.uint8(255), masks, draw(AugmentConfig(elastic=elastic), 6, (9,)), raw(48, "edge")
    )
    np.testing.assert_array_equal(seen, again)
