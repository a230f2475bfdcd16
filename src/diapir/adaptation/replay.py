"""Replay: tiles trained on beside a survey's labels, so that a model keeps what it knew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.tiles import TileSet, load_tiles

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Replay:
    """Tiles to draw from.

    Attributes:
        tiles: labelled tiles, such as those that the model was trained on.
        share: their share of all windows, in (0, 1).
    """

    tiles: TileSet
    share: float

    @classmethod
    def open(cls, path: Path, share: float) -> Replay:
        """Read labelled tiles in any layout.

        Raises:
            DataError: they cannot be used.
        """
        return cls(load_tiles(path), share)

    def count(self, batch: int) -> int:
        """Number of tiles in a batch."""
        return min(batch - 1, max(1, round(batch * self.share)))

    def cut(self, count: int, size: int, seed: Sequence[int]) -> tuple[Bytes, Bytes]:
        """Draw tiles, mirrored or cut to a size.

        Args:
            count: number of tiles.
            size: height and width in pixels.
            seed: the numbers that the draws depend on.

        Returns:
            Images and masks, `uint8 (count, size, size)`; 255 in the masks beside a tile.
        """
        rng = np.random.default_rng([*seed, 6])
        images = np.empty((count, size, size), np.uint8)
        masks = np.full((count, size, size), IGNORE, np.uint8)
        for row, tile in enumerate(rng.integers(len(self.tiles), size=count).tolist()):
            image, mask = self.tiles.image(tile), self.tiles.mask(tile)
            starts = [int(rng.integers(max(0, side - size) + 1)) for side in image.shape]
            part = tuple(slice(start, start + size) for start in starts)
            image, mask = image[part], mask[part]
            missing = [size - side for side in image.shape]
            margins = [(each // 2, each - each // 2) for each in missing]
            images[row] = np.pad(image, margins, mode="symmetric")
            masks[row] = np.pad(mask, margins, constant_values=IGNORE)
        return images, masks
