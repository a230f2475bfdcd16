"""Reading the folder of a mosaic that was written here."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.tiles import load_tiles, make_mosaic
from diapir.tiles.mosaic.mosaic_files import PlacedTile, read_mosaic
from tests.helpers.tile_sets import write_tiles
from tests.tiles.mosaic.sections import SIDE, make_section

ROWS, COLUMNS = 2, 3
SECTION = make_section(1, ROWS, COLUMNS)


def write_mosaic(folder: Path, prefix: str = "") -> tuple[Path, dict[str, NDArray[np.uint8]]]:
    """The section's tiles in `folder/tiles`, and their mosaic; their path and images by id."""
    images = {
        f"{prefix}t{row}{column}": SECTION[
            row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE
        ]
        for row, column in np.ndindex(ROWS, COLUMNS)
    }
    masks = {tile: (image > 150).astype(np.uint8) for tile, image in images.items()}
    source = write_tiles(folder / "tiles", images=images, masks=masks)
    make_mosaic(source, folder / "mosaic")
    return source, images


def test_a_mosaic_is_read_as_it_was_written(tmp_path: Path) -> None:
    source, images = write_mosaic(tmp_path)
    (section,) = read_mosaic(tmp_path / "mosaic")
    assert (section.name, section.group) == ("t00", "t00")
    assert section.tiles == tuple(
        PlacedTile(f"t{row}{column}", row, column) for row, column in np.ndindex(ROWS, COLUMNS)
    )
    image, tiles = section.image(), load_tiles(source)
    np.testing.assert_array_equal(image, SECTION)
    for index, tile in enumerate(section.tiles):
        np.testing.assert_array_equal(image[section.place(tile, image)], images[tile.id])
        section.require_same(tile, image, tiles, index)
    with pytest.raises(DataError, match="tile t01 of tiles differs"):
        section.require_same(section.tiles[1], image, tiles, 0)


def test_tiles_in_sub_folders_are_reassembled(tmp_path: Path) -> None:
    write_mosaic(tmp_path, "north/")
    (section,) = read_mosaic(tmp_path / "mosaic")
    assert section.name == "north/t00"
    np.testing.assert_array_equal(section.image(), SECTION)
    assert (tmp_path / "mosaic" / "sections" / "masks" / "north" / "t00.png").is_file()
    assert (tmp_path / "mosaic" / "report" / "01-north_t00.png").is_file()
