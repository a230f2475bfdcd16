"""Tile sets as sequences, in notebooks, and as PyTorch data sets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from diapir.errors import DataError
from diapir.preprocess import pad_masks, to_input
from diapir.tiles import TileSet, load_tiles
from tests.helpers.tiny import write_bright_salt


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    return load_tiles(write_bright_salt(tmp_path_factory.mktemp("tiles") / "<mini>", 10))


def test_tiles_by_index_id_and_in_turn(tiles: TileSet) -> None:
    assert (tiles[0].id, tiles[-1].id, tiles["tile003"].id) == ("tile000", "tile009", "tile003")
    assert tiles[np.int64(2)].id == "tile002"
    ids = [tile.id for tile in tiles]
    assert tuple(ids) == tiles.ids
    for place, (image, mask) in enumerate(tiles):
        np.testing.assert_array_equal(image, tiles.image(place))
        np.testing.assert_array_equal(mask, tiles.mask(place))


def test_a_tile_may_be_changed_without_changing_the_set(tiles: TileSet) -> None:
    tiles[1].image[:] = 0
    assert tiles.image(1).any()


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, -4), [9, 5, 1]),
        ([3, 1, -1], [3, 1, 9]),
        (np.array([4, 4]), [4, 4]),
        (np.arange(10) > 7, [8, 9]),
        ([], []),
    ],
)
def test_parts_are_tile_sets(tiles: TileSet, index: slice, rows: list[int]) -> None:
    part = tiles[index]
    assert isinstance(part, TileSet)
    assert list(part.ids) == [tiles.ids[row] for row in rows]
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(part.image(place), tiles.image(row))
    assert load_tiles(part) is part


@pytest.mark.parametrize("index", [10, -11, [3, 10]])
def test_no_such_index(tiles: TileSet, index: int) -> None:
    with pytest.raises(IndexError):
        tiles[index]


def test_no_such_id_or_kind_of_index(tiles: TileSet) -> None:
    with pytest.raises(DataError):
        tiles["nothing"]
    with pytest.raises(TypeError):
        tiles[1.5]  # type: ignore[call-overload]


def test_words_and_html_are_short_and_escaped(tiles: TileSet) -> None:
    assert repr(tiles) == "TileSet('<mini>', 10 tiles, 30 × 30 px, masks grey8)"
    page = tiles._repr_html_()
    assert "&lt;mini&gt;: 10 tiles" in page
    assert "<mini>" not in page
    assert page.count("<img") == 16
    assert len(page) < 100_000
    assert "TileSet(" in repr(tiles[:0])


def test_a_data_loader_takes_the_set_itself(tiles: TileSet) -> None:
    images, masks = next(iter(DataLoader(tiles, batch_size=4)))  # type: ignore[arg-type]
    assert (images.shape, images.dtype) == ((4, 30, 30), torch.uint8)
    np.testing.assert_array_equal(masks, tiles.stack([0, 1, 2, 3])[1])


def test_the_pytorch_data_set_preprocesses_as_training_does(tiles: TileSet) -> None:
    dataset = tiles.to_torch(size=48, pad="reflect", mean=(0.1, 0.2, 0.3))
    images, masks = next(iter(DataLoader(dataset, batch_size=3)))
    config = dataset._config
    assert (config.size, config.pad, config.mean) == (48, "reflect", (0.1, 0.2, 0.3))
    pictures, labels = tiles.stack([0, 1, 2])
    np.testing.assert_array_equal(images, to_input(pictures, config))
    np.testing.assert_array_equal(masks, pad_masks(labels, config))
    assert masks.dtype == torch.int64
    assert isinstance(dataset, torch.utils.data.Dataset)
    assert len(dataset) == 10
    assert tiles.to_torch()[-1][0].shape == (3, 32, 32)
    with pytest.raises(IndexError):
        dataset[10]


def test_a_size_that_is_too_small_names_one_that_fits(tiles: TileSet) -> None:
    with pytest.raises(DataError) as caught:
        tiles.to_torch(size=16)
    assert caught.value.fix == "to_torch(size=32)"


def test_tiles_without_masks_are_ignored_everywhere(tiles: TileSet) -> None:
    plain = load_tiles(Path(tiles.path) / "images", labelled=False)
    assert plain[0].mask is None
    assert "unlabelled" in repr(plain)
    assert plain._repr_html_().count("<img") == 8
    assert (plain.to_torch()[0][1] == 255).all()
