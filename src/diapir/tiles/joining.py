"""Two sets of tiles as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from diapir.tiles.pixels import Pixels
from diapir.tiles.tileset import TileSet


def join_tiles(tiles: TileSet, further: TileSet) -> TileSet:
    """The tiles of two labelled sets, those of the second behind; the name is the first's."""
    first, second = tiles.pixels, further.pixels
    images = np.concatenate([first.images, second.images])
    masks = np.concatenate([first.masks, second.masks])
    images.flags.writeable = masks.flags.writeable = False
    return replace(
        tiles,
        ids=tiles.ids + further.ids,
        groups=tiles.groups + further.groups,
        depths=np.concatenate([tiles.depths, further.depths]),
        content=tiles.content + further.content,
        skipped=tiles.skipped + further.skipped,
        pixels=Pixels(
            images=images,
            masks=masks,
            shapes=np.concatenate([first.shapes, second.shapes]),
            starts=np.concatenate([first.starts, second.starts + first.images.size]),
        ),
    )
