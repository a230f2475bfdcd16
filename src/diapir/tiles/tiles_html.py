"""A tile set as a notebook shows it: one line, and some images above their masks."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from diapir.tiles.tileset import TileSet

SHOWN = 8
"""Tiles that are drawn."""
_LARGEST = 160
"""Side in pixels of a drawn tile at most."""


def tiles_html(tiles: TileSet) -> str:
    """The description of a set, and evenly spaced tiles of it."""
    places = np.unique(np.linspace(0, len(tiles) - 1, min(SHOWN, len(tiles))).astype(int))
    cells = "".join(_cell(tiles, int(place)) for place in places)
    return f"<p>{html.escape(tiles.describe())}</p><div style='display:flex;gap:6px'>{cells}</div>"


def _cell(tiles: TileSet, place: int) -> str:
    name = html.escape(tiles.ids[place], quote=True)
    pictures = "".join(
        f"<img src='{source}' alt='{what} of {name}' title='{name}' style='display:block;"
        "margin-bottom:2px;width:100%;image-rendering:pixelated'>"
        for what, source in _pictures(tiles, place)
    )
    return f"<div style='flex:0 1 110px'>{pictures}</div>"


def _pictures(tiles: TileSet, place: int) -> Iterator[tuple[str, str]]:
    yield "image", _source(tiles.image(place))
    if tiles.labelled:
        levels = np.full(256, 128, np.uint8)  # grey: ignored
        levels[0], levels[1] = 0, 255
        yield "mask", _source(levels[tiles.mask(place)])


def _source(pixels: NDArray[np.uint8]) -> str:
    picture = Image.fromarray(pixels)
    picture.thumbnail((_LARGEST, _LARGEST))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
