"""A tile set as a PyTorch data set: images and masks as networks take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from diapir import preprocess
from diapir.config import IGNORE, PreprocessConfig
from diapir.errors import DataError

if TYPE_CHECKING:
    from diapir.tiles.tileset import TileSet


class TorchTiles(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of image and mask, all of one size.

    An image is `float32 (3, size, size)`: the grey plane three times, normalised. A mask is
    `int64 (size, size)` of {0, 1, 255}, with 255 where the image was padded; 255 everywhere for
    tiles without masks.

    Args:
        tiles: the tiles.
        config: size, padding and normalisation.

    Raises:
        DataError: tiles that are larger than the size.
    """

    def __init__(self, tiles: TileSet, config: PreprocessConfig) -> None:
        largest = int(tiles.shapes.max()) if len(tiles) else 0
        if largest > config.size:
            raise DataError(
                f"a tile of {tiles.name} has a side of {largest} px, more than size={config.size}",
                expected="a size that every tile fits into",
                fix=f"to_torch(size={-(-largest // 32) * 32})",
            )
        self.tiles, self.config = tiles, config

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        tile = self.tiles[index]
        (image,) = preprocess.to_input(tile.image[None], self.config)
        known = np.full_like(tile.image, IGNORE) if tile.mask is None else tile.mask
        (mask,) = preprocess.pad_masks(known[None], self.config)
        return torch.from_numpy(image), torch.from_numpy(mask).long()
