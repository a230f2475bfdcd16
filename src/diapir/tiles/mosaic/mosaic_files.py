"""What `diapir data mosaic` leaves: groups, sections with their labels, placements, pictures.

DIR/groups.csv          tile id and group, for every tile, labelled or not
DIR/sections/*.png      each section, called by its smallest tile id; 0 where no tile is
DIR/sections/masks/     labels of the sections that have any: 0, 1, and 255 where nothing is known
DIR/report/*.png        the largest sections for the eye, labelled tiles framed and their salt red
DIR/mosaic.json         all placements and figures; it makes the folder known as a mosaic's
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
_FRAME, _SALT, _NOTHING = (255, 214, 10), (225, 40, 40), (32, 26, 48)


def save_mosaic(
    out: str | Path,
    mosaic: Mosaic,
    ids: Sequence[str],
    images: NDArray[np.uint8],
    masks: NDArray[np.uint8],
    figures: dict[str, Any],
) -> None:
    """Write a mosaic; the folder appears whole or not at all, and replaces an earlier mosaic.

    Args:
        out: the folder.
        mosaic: the tiles laid out.
        ids: the id of each tile.
        images: grey tiles `uint8 (N, H, W)`.
        masks: labels `uint8 (N, H, W)` of {0, 1, 255}; all 255 for a tile without.
        figures: what is known of the whole, for mosaic.json.

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
    """Refuse a folder that holds anything but an earlier mosaic.

    Raises:
        DataError: it does.
    """
    claim(out, holds="a mosaic", ours=lambda out: (out / MARKER).is_file())


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
        _save(assemble(section, images, empty=0), folder / "sections" / f"{name}.png")
        if labelled[list(section.values())].any():
            labels = assemble(section, masks, empty=IGNORE)
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


def assemble(
    section: dict[Cell, int], tiles: NDArray[np.uint8], *, empty: int
) -> NDArray[np.uint8]:
    """A section from tiles `uint8 (N, H, W, …)`, `empty` where none lies."""
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
    """A section for the eye: labelled tiles framed, their salt red, dark where no tile lies."""
    height, width = images.shape[1:]  # at least 4 each way
    order = list(section.values())
    tiles = np.repeat(images[order][..., None], 3, axis=3)
    labels = masks[order]
    salt = labels == 1
    tiles[salt] = (0.6 * tiles[salt] + 0.4 * np.array(_SALT)).astype(np.uint8)
    framed = (labels != IGNORE).any(axis=(1, 2))
    tiles[framed, :: height - 1] = _FRAME
    tiles[framed, :, :: width - 1] = _FRAME
    drawn = assemble({cell: place for place, cell in enumerate(section)}, tiles, empty=0)
    present = assemble(section, np.ones_like(images), empty=0)
    drawn[present == 0] = _NOTHING
    return drawn


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    Image.fromarray(pixels).save(path, compress_level=4)
