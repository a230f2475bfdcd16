"""A mosaic's folder made of any tile set, and a model that is a function of the image."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.inference.tiling import TILE_OVERLAP, WindowGrid
from diapir.tiles import TileSet

Section = Mapping[tuple[int, int], str]
"""The id of the tile at each row and column."""


def write_sections(folder: Path, tiles: TileSet, sections: Mapping[str, Section]) -> Path:
    """The folder of a mosaic; sections are named, and each is a group of its own.

    A tile that the set lacks is shown as noise, as an unlabelled tile of another set.
    """
    (folder / "sections").mkdir(parents=True)
    rows = {tile: row for row, tile in enumerate(tiles.ids)}
    height, width = tiles.shapes[0].tolist()
    noise = np.random.default_rng(5).integers(0, 90, (height, width), dtype=np.uint8)
    groups = {tile: tile for tile in tiles.ids}
    content: list[dict[str, Any]] = []
    for name, cells in sections.items():
        shape = [1 + max(cell[axis] for cell in cells) for axis in (0, 1)]
        image = np.zeros((shape[0] * height, shape[1] * width), np.uint8)
        for (row, column), tile in cells.items():
            part = tiles.image(rows[tile]) if tile in rows else noise
            image[row * height : (row + 1) * height, column * width : (column + 1) * width] = part
            groups[tile] = name
        Image.fromarray(image).save(folder / "sections" / f"{name}.png")
        placed = [{"id": tile, "row": row, "column": at} for (row, at), tile in cells.items()]
        content.append({"name": name, "group": name, "tiles": placed})
    (folder / "mosaic.json").write_text(json.dumps({"format": 1, "sections": content}))
    table = "".join(f"{tile},{group}\n" for tile, group in sorted(groups.items()))
    (folder / "groups.csv").write_text(f"id,group\n{table}")
    return folder


def squares(ids: Sequence[str]) -> dict[str, Section]:
    """Every four tiles as a section of two by two; those that are left over are in none."""
    return {
        f"section{start // 4}": {divmod(place, 2): ids[start + place] for place in range(4)}
        for start in range(0, len(ids) - 3, 4)
    }


class Function:
    """A segmenter that computes an image's probabilities with a function.

    Args:
        of: from an image `uint8 (H, W)` to probabilities `(H, W)`.
        window: side of the windows that it says it has.
        min_area: minimum component size.
    """

    batch = 4
    threshold = 0.5

    def __init__(
        self,
        of: Callable[[NDArray[np.uint8]], NDArray[Any]],
        *,
        window: int = 30,
        min_area: int = 0,
    ) -> None:
        self._of = of
        self.min_area = min_area
        self.bundles: Any = (
            SimpleNamespace(
                info=SimpleNamespace(
                    window=window,
                    tile=window,
                    vertical_scale=(0.01, 100.0),
                    first_zero=None,
                    survey=None,
                )
            ),
        )
        self.grids = (WindowGrid(window, TILE_OVERLAP),)
        self.shapes: list[tuple[int, ...]] = []

    def probabilities(
        self, images: Sequence[NDArray[np.uint8]], *, live: object = None, progress: object = None
    ) -> list[NDArray[np.float32]]:
        self.shapes += [image.shape for image in images]
        return [np.asarray(self._of(image), np.float32) for image in images]

    def stream(self, groups: Iterable[Any]) -> Iterator[NDArray[np.float32]]:
        for images, _ in groups:
            yield from self.probabilities(images)

    def with_grids(self, grids: Sequence[WindowGrid]) -> Function:
        """The function, which knows no windows."""
        return self

    def check(self, height: int, width: int) -> None:
        """Any size will do."""

    def describe(self) -> dict[str, Any]:
        return {"name": "function"}
