"""The folder that `diapir data mosaic` writes.

DIR/groups.csv          tile id and group of every tile, labelled or not
DIR/sections/*.png      each section, named by its smallest tile id; 0 in cells without a tile
DIR/sections/masks/     labels of the sections that have any: 0, 1, and 255 for unlabelled pixels
DIR/report/*.png        images of the largest sections, labelled tiles framed and their salt red
DIR/mosaic.json         all placements and figures; marks the folder as a mosaic
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.files import claim, disk_errors, writing_folder
from diapir.json_text import parse_json
from diapir.tiles.files.decode import read_image
from diapir.tiles.groups import groups_text
from diapir.tiles.mosaic.assemble import Mosaic
from diapir.tiles.mosaic.placement import Cell, Link
from diapir.tiles.tileset import TileSet

MARKER = "mosaic.json"
GROUPS = "groups.csv"

_PICTURES = 12
_FRAME, _SALT, _NO_TILE = (255, 214, 10), (225, 40, 40), (32, 26, 48)


class PlacedTile(NamedTuple):
    """A tile of a section, with its row and column of tiles, from 0."""

    id: str
    row: int
    column: int


@dataclass(frozen=True)
class MosaicSection:
    """A reassembled section, as a mosaic's folder describes it.

    Attributes:
        folder: of the mosaic.
        name: its smallest tile id; also the name of its image.
        group: the section group of its tiles.
        tiles: all of them, labelled or not.
    """

    folder: Path
    name: str
    group: str
    tiles: tuple[PlacedTile, ...]

    def image(self) -> NDArray[np.uint8]:
        """Read the image, `uint8 (samples, traces)`; 0 in cells without a tile.

        Raises:
            DataError: it is missing or cannot be read.
        """
        return read_image(self.folder / "sections" / f"{self.name}.png")

    def place(self, tile: PlacedTile, image: NDArray[np.uint8]) -> tuple[slice, slice]:
        """Where a tile lies in the section's image: its rows and columns of pixels."""
        height = image.shape[0] // (1 + max(each.row for each in self.tiles))
        width = image.shape[1] // (1 + max(each.column for each in self.tiles))
        top, left = tile.row * height, tile.column * width
        return slice(top, top + height), slice(left, left + width)

    def require_same(
        self, tile: PlacedTile, image: NDArray[np.uint8], tiles: TileSet, index: int
    ) -> None:
        """Refuse a tile that is not what the section shows in its place.

        Args:
            tile: one of the section's tiles.
            image: the section's image.
            tiles: the set with the tile.
            index: of the tile in the set.

        Raises:
            DataError: they differ.
        """
        if not np.array_equal(image[self.place(tile, image)], tiles.image(index)):
            raise DataError(
                f"tile {tile.id} of {tiles.name} differs from its image in section {self.name} of "
                f"{self.folder}",
                expected=f"a mosaic of {tiles.name}",
                fix=f"diapir data mosaic {tiles.path} --out FOLDER",
            )


def read_mosaic(folder: Path) -> tuple[MosaicSection, ...]:
    """The sections of a mosaic's folder; their images are read later.

    Raises:
        DataError: the folder holds no mosaic, or its description cannot be read.
    """
    try:
        content = parse_json((folder / MARKER).read_text(encoding="utf-8"))
        return tuple(
            MosaicSection(
                folder,
                each["name"],
                each.get("group", each["name"]),
                tuple(
                    PlacedTile(str(tile["id"]), int(tile["row"]), int(tile["column"]))
                    for tile in each["tiles"]
                ),
            )
            for each in content["sections"]
        )
    except (
        *(OSError, ValueError, KeyError, TypeError, AttributeError),
        OverflowError,  # of infinite places
    ) as error:
        raise DataError(
            f"{folder} holds no mosaic that can be read: {error}",
            expected="a folder written by `diapir data mosaic`",
            fix="make it: diapir data mosaic PATH --out FOLDER; then give --mosaic FOLDER, or in "
            "training --set data.mosaic=FOLDER",
        ) from None


def save_mosaic(
    out: str | Path,
    mosaic: Mosaic,
    ids: Sequence[str],
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    figures: dict[str, Any],
) -> None:
    """Write a mosaic, completely or not at all; an earlier mosaic is replaced.

    Args:
        out: the folder.
        mosaic: the tiles laid out.
        ids: the id of each tile.
        images: grey tiles `uint8 (N, H, W)`.
        masks: labels `uint8 (N, H, W)` of {0, 1, 255}; all 255 for a tile without labels.
        figures: figures on the mosaic, for mosaic.json.

    Raises:
        DataError: `out` holds something else, or cannot be written.
    """
    out = Path(out)
    with disk_errors(out):
        claim_folder(out)
        with writing_folder(out) as scratch:
            for folder in ("sections/masks", "report"):
                (scratch / folder).mkdir(parents=True)
            _write(scratch, mosaic, ids, images, masks, figures)


def claim_folder(out: Path) -> None:
    """Make sure that a mosaic may be written to a folder.

    Raises:
        DataError: it holds anything but an earlier mosaic.
    """

    def ours(folder: Path) -> bool:
        # a synthetic survey is its own mosaic, but holds tiles as well
        return (folder / MARKER).is_file() and not (folder / "images").exists()

    claim(out, holds="a mosaic", ours=ours)


def _write(
    folder: Path,
    mosaic: Mosaic,
    ids: Sequence[str],
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    figures: dict[str, Any],
) -> None:
    groups = dict(zip(ids, mosaic.groups(ids), strict=True))
    (folder / GROUPS).write_text(groups_text(groups), encoding="utf-8")
    labelled = (masks != IGNORE).any(axis=(1, 2))
    sections = []
    for number, section in enumerate(mosaic.sections):
        name = min(ids[tile] for tile in section.values())
        _save(paste(section, images, empty=0), folder / "sections" / f"{name}.png")
        if labelled[list(section.values())].any():
            labels = paste(section, masks, empty=IGNORE)
            _save(labels, folder / "sections" / "masks" / f"{name}.png")
        if number < _PICTURES:
            drawn = _draw(section, images, masks)
            place = f"{number + 1:02d}-{name.replace('/', '_')}.png"  # ids may name sub-folders
            _save(drawn, folder / "report" / place)
        sections.append(
            {
                "name": name,
                "group": groups[name],
                "tiles": [
                    {"id": ids[tile], "row": row, "column": column}
                    for (row, column), tile in section.items()
                ],
            }
        )

    def linked(links: Sequence[Link]) -> list[dict[str, Any]]:
        return [
            {
                **asdict(link),
                "first": ids[link.first],
                "second": ids[link.second],
                "score": round(link.score, 4),
                "ambiguity": round(link.ambiguity, 4),
            }
            for link in links
        ]

    content = {
        "format": 1,
        **figures,
        "sections": sections,
        "links": linked(mosaic.links),
        "doubtful": linked(mosaic.doubtful),
        "overlaps": [[ids[first], ids[second]] for first, second in mosaic.overlaps],
        "twins": [[ids[first], ids[second]] for first, second in mosaic.twins],
    }
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    (folder / MARKER).write_text(text, encoding="utf-8")


def paste(section: dict[Cell, int], tiles: NDArray[np.uint8], *, empty: int) -> NDArray[np.uint8]:
    """One array of a section from tiles `uint8 (N, H, W, …)`; cells without a tile are `empty`."""
    height, width = tiles.shape[1:3]
    rows, columns = (1 + max(cell[axis] for cell in section) for axis in (0, 1))
    whole = np.full((rows * height, columns * width, *tiles.shape[3:]), empty, np.uint8)
    for (row, column), tile in section.items():
        whole[row * height : (row + 1) * height, column * width : (column + 1) * width] = tiles[
            tile
        ]
    return whole


def _draw(
    section: dict[Cell, int], images: NDArray[np.uint8], masks: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """A colour image of a section: labelled tiles framed, salt red, cells without a tile dark."""
    height, width = images.shape[1:]  # at least 4 each way
    order = list(section.values())
    tiles = np.repeat(images[order][..., None], 3, axis=3)
    labels = masks[order]
    salt = labels == 1
    tiles[salt] = (0.6 * tiles[salt] + 0.4 * np.array(_SALT)).astype(np.uint8)
    framed = (labels != IGNORE).any(axis=(1, 2))
    tiles[framed, :: height - 1] = _FRAME
    tiles[framed, :, :: width - 1] = _FRAME
    drawn = paste({cell: place for place, cell in enumerate(section)}, tiles, empty=0)
    present = paste(section, np.ones_like(images), empty=0)
    drawn[present == 0] = _NO_TILE
    return drawn


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=4)
