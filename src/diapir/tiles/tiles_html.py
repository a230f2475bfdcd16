"""A tile set as a notebook shows it: one line, and some images above their masks."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.tiles.pixels import Pixels

SHOWN = 8
"""Tiles that are drawn."""
_LARGEST = 160
"""Side in pixels of a drawn tile at most."""


def tiles_html(text: str, ids: Sequence[str], pixels: Pixels, *, labelled: bool) -> str:
    """The description of a set, and evenly spaced tiles of it.

    Args:
        text: the description.
        ids: of the tiles.
        pixels: of the tiles.
        labelled: whether they have masks.
    """
    places = np.unique(np.linspace(0, len(ids) - 1, min(SHOWN, len(ids))).astype(int))
    cells = "".join(
        _cell(ids[place], pixels, place, labelled=labelled) for place in places.tolist()
    )
    return f"<p>{html.escape(text)}</p><div style='display:flex;gap:6px'>{cells}</div>"


def _cell(name: str, pixels: Pixels, place: int, *, labelled: bool) -> str:
    name = html.escape(name, quote=True)
    pictures = "".join(
        f"<img src='{source}' alt='{what} of {name}' title='{name}' style='display:block;"
        "margin-bottom:2px;width:100%;image-rendering:pixelated'>"
        for what, source in _pictures(pixels, place, labelled=labelled)
    )
    return f"<div style='flex:0 1 110px'>{pictures}</div>"


def _pictures(pixels: Pixels, place: int, *, labelled: bool) -> Iterator[tuple[str, str]]:
    yield "image", _source(pixels.image(place))
    if labelled:
        levels = np.full(256, 128, np.uint8)  # grey: ignored
        levels[0], levels[1] = 0, 255
        yield "mask", _source(levels[pixels.mask(place)])


def _source(pixels: NDArray[np.uint8]) -> str:
    picture = Image.fromarray(pixels)
    picture.thumbnail((_LARGEST, _LARGEST))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
