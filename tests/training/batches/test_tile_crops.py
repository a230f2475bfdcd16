"""Crops of larger tiles: inside the tile, the same for the same step, and with context around."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diapir.config import AugmentConfig, PreprocessConfig
from diapir.tiles import TileSet, load_tiles
from diapir.training.batches.augment import augment, draw
from diapir.training.batches.tile_batches import load_augmented_batch, load_batch
from diapir.training.batches.tile_crops import crop_groups, draw_places
from tests.helpers.tile_sets import write_tiles

CPU = torch.device("cpu")
RAW = PreprocessConfig(size=32, mean=(0, 0, 0), std=(1, 1, 1))


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    """Two large tiles, a wide one and a small one; the grey value tells the place, as x + 2 y."""
    images, masks = {}, {}
    for name, (height, width) in {
        "a": (70, 90), "b": (70, 90), "low": (20, 120), "small": (30, 30)
    }.items():  # fmt: skip
        y, x = np.mgrid[:height, :width]
        images[name] = ((x + 2 * y) % 250).astype(np.uint8)
        masks[name] = (x % 16 < 8).astype(np.uint8)
    write_tiles(tmp_path, images=images, masks=masks)
    return load_tiles(tmp_path)


def test_crops_are_parts_of_their_tiles(tiles: TileSet) -> None:
    indices = np.array([1, 3, 0, 2, 0])
    places = draw_places(len(indices), (1, 2))
    groups = list(crop_groups(tiles, indices, 32, places=places))
    assert sorted(np.concatenate([group.rows for group in groups]).tolist()) == [0, 1, 2, 3, 4]
    for group in groups:
        assert not group.offset.any()
        for row, image, mask in zip(group.rows, group.images, group.masks, strict=True):
            height, width = tiles.shapes[indices[row]]
            assert image.shape == (min(height, 32), min(width, 32))
            top = round(places[row, 0] * max(height - 32, 0))
            left = round(places[row, 1] * max(width - 32, 0))
            place = slice(top, top + image.shape[0]), slice(left, left + image.shape[1])
            np.testing.assert_array_equal(image, tiles.image(int(indices[row]))[place])
            np.testing.assert_array_equal(mask, tiles.mask(int(indices[row]))[place])


def test_places_follow_from_the_step_and_reach_every_edge() -> None:
    assert np.array_equal(draw_places(8, (1, 2, 0)), draw_places(8, (1, 2, 0)))
    assert not np.array_equal(draw_places(8, (1, 2, 0)), draw_places(8, (1, 3, 0)))
    places = draw_places(1000, (5,))
    assert places.min() < 0.01
    assert places.max() > 0.99


@pytest.mark.parametrize("flip", ["none", "random"])
def test_without_geometry_an_augmented_crop_is_the_plain_one(tiles: TileSet, flip: str) -> None:
    indices = np.array([0, 1, 2, 3, 0, 1])
    places = draw_places(len(indices), (3,))
    augmentation = draw(AugmentConfig.model_validate({"flip": flip}), len(indices), (3,))
    plain, kept = load_batch(tiles, indices, RAW, places)
    seen, labels = load_augmented_batch(
        tiles, indices, augmentation, RAW, size=32, device=CPU, places=places
    )
    for row, flipped in enumerate(augmentation.flip.tolist()):
        image, mask = plain[row], kept[row].long()
        if flipped and indices[row] in {0, 1}:  # those padded are mirrored within their padding
            image, mask = image.flip(2), mask.flip(1)
        elif flipped:
            continue
        torch.testing.assert_close(seen[row], image, atol=1e-5, rtol=0)
        assert torch.equal(labels[row], mask)


@pytest.mark.parametrize("flip", ["none", "random"])
def test_what_geometry_brings_into_view_is_the_tile(tiles: TileSet, flip: str) -> None:
    """A crop that is turned and moved is the part of a tile that is turned and moved whole."""
    config = AugmentConfig.model_validate(
        {"rotate": 30, "shift": 0.2, "scale": 0.3, "elastic": 0.05, "flip": flip}
    )
    indices = np.zeros(12, np.int64)
    places = draw_places(len(indices), (7,))
    augmentation = draw(config, len(indices), (7,))
    seen, labels = load_augmented_batch(
        tiles, indices, augmentation, RAW, size=32, device=CPU, places=places
    )
    outside = (labels == 255).flatten(1).float().mean(dim=1)
    inner = np.abs(places - 0.5).max(axis=1) < 0.15  # far from the tile's edges
    assert inner.any()
    assert not outside[torch.from_numpy(inner)].any()
    # however much of the tile is taken around the crop, the result is that of the whole tile
    image, mask = (torch.from_numpy(each(0).copy())[None] for each in (tiles.image, tiles.mask))
    centres = np.rint(places * [70 - 32, 90 - 32]) + 16
    for row in range(len(indices)):
        offset = (centres[row] - [35, 45])[None, ::-1]
        alone = augmentation.take(slice(row, row + 1))
        whole, kept = augment(image, mask, alone, RAW, 32, offset)
        known = kept[0] != 255
        torch.testing.assert_close(seen[row, 0][known], whole[0, 0][known], atol=1e-3, rtol=0)
        assert (labels[row] != kept[0]).float().mean() < 0.01  # nearest pixels at a tie


def test_a_crop_at_the_edge_ends_with_the_tile(tiles: TileSet) -> None:
    augmentation = draw(AugmentConfig(shift=0.5), 2, (11,))
    corners = np.array([[0.0, 0.0], [1.0, 1.0]])
    seen, labels = load_augmented_batch(
        tiles, np.zeros(2, np.int64), augmentation, RAW, size=32, device=CPU, places=corners
    )
    shift = np.rint(augmentation.shift * 32).astype(int)
    for row, start in enumerate([(0, 0), (70 - 32, 90 - 32)]):
        top, left = start[0] + shift[row, 1], start[1] + shift[row, 0]
        y, x = np.mgrid[top : top + 32, left : left + 32]
        inside = torch.from_numpy((y >= 0) & (y < 70) & (x >= 0) & (x < 90))
        assert torch.equal(labels[row] != 255, inside)
        found = (seen[row, 0] * 255)[inside].numpy()
        np.testing.assert_allclose(found, ((x + 2 * y) % 250)[inside.numpy()], atol=1e-3)
