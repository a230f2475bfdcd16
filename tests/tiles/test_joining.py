from pathlib import Path

import numpy as np
import pytest

from diapir.tiles import load_tiles
from diapir.tiles.joining import join_tiles
from tests.helpers.tile_sets import make_tiles, write_tiles


@pytest.mark.parametrize("size", [(21, 19), (10, 30)])
def test_joined_tiles_keep_their_pixels_and_order(tmp_path: Path, size: tuple[int, int]) -> None:
    write_tiles(tmp_path / "first", count=5)
    images, masks = make_tiles(4, size=size, seed=1)
    write_tiles(tmp_path / "second", images=images, masks=masks)
    first, second = load_tiles(tmp_path / "first"), load_tiles(tmp_path / "second")
    chosen = first.select(["t003", "t001"])

    joined = join_tiles(chosen, second)

    assert joined.ids == ("t003", "t001", *second.ids)
    assert joined.groups == chosen.groups + second.groups
    for index in range(len(joined)):
        source, row = (chosen, index) if index < 2 else (second, index - 2)
        assert np.array_equal(joined.image(index), source.image(row))
        assert np.array_equal(joined.mask(index), source.mask(row))
        assert joined.coverage[index] == source.coverage[row]
    stacked, _ = joined.stack([4, 2])
    assert np.array_equal(stacked, [second.image(2), second.image(0)])
    with pytest.raises(ValueError, match="read-only"):
        joined.image(0)[0, 0] = 1
