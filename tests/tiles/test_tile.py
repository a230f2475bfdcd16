import copy
import pickle

import numpy as np

from diapir.tiles import Tile


def test_a_tile_is_a_pair_with_a_name() -> None:
    picture = np.zeros((3, 4), np.uint8)
    labels = np.array([[1, 0, 255, 255]] * 3, np.uint8)
    tile = Tile(picture, labels, "a", "section", 12.5)
    image, mask = tile
    assert image is tile.image
    assert mask is tile.mask
    assert (tile.id, tile.group, tile.depth, tile.coverage) == ("a", "section", 12.5, 0.5)
    assert repr(tile) == "Tile('a', 3 × 4 px, 50.0% salt)"
    for other in (copy.copy(tile), pickle.loads(pickle.dumps(tile))):  # noqa: S301 - our own
        assert (other.id, other.group, other.depth) == ("a", "section", 12.5)
        np.testing.assert_array_equal(other.image, picture)


def test_an_unlabelled_tile() -> None:
    tile = Tile(np.zeros((2, 2), np.uint8), None, "a")
    assert (tile.mask, tile.group) == (None, "a")
    assert np.isnan(tile.coverage)
    assert "unlabelled" in repr(tile)
