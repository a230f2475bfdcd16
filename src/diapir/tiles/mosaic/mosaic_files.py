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
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.config import IGNORE
from diapir.files import claim, disk_errors, writing_folder
from diapir.tiles.groups import groups_text
from diapir.tiles.mosaic.assemble import Mosaic
from diapir.tiles.mosaic.placement import Cell, Link

MARKER = "mosaic.json"

_PICTURES = 12
_FRAME, _SALT, _NO_TILE = (255, 214, 10), (225, 40, 40), (32, 26, 48)


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
    (folder / "groups.csv").write_text(groups_text(groups), encoding="utf-8")
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
            _save(drawn, folder / "report" / f"{number + 1:02d}-{name}.png")
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
    Image.fromarray(pixels).save(path, compress_level=4)
