"""A tile set as a PyTorch data set: images and masks as networks take them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from diapir import preprocess
from diapir.config import IGNORE, PreprocessConfig
from diapir.errors import DataError
from diapir.tiles.pixels import Pixels


class TorchTiles(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of image and mask, all of one size.

    An image is `float32 (3, size, size)`: the grey plane three times, normalised. A mask is
    `int64 (size, size)` of {0, 1, 255}, with 255 where the image was padded; 255 everywhere for
    tiles without masks.

    Args:
        name: of the set.
        pixels: of the tiles.
        labelled: whether they have masks.
        config: size, padding and normalisation.

    Raises:
        DataError: tiles that are larger than the size.
    """

    def __init__(
        self, name: str, pixels: Pixels, config: PreprocessConfig, *, labelled: bool
    ) -> None:
        largest = int(pixels.shapes.max()) if len(pixels.shapes) else 0
        if largest > config.side:
            raise DataError(
                f"a tile of {name} has a side of {largest} px, more than size={config.side}",
                expected="a size that every tile fits into",
                fix=f"to_torch(size={-(-largest // 32) * 32})",
            )
        self._pixels, self._config, self._labelled = pixels, config, labelled

    def __len__(self) -> int:
        return len(self._pixels.shapes)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} tiles, and no tile {index}")
        row = index % len(self)
        picture = self._pixels.image(row)
        (image,) = preprocess.to_input(picture[None], self._config)
        known = self._pixels.mask(row) if self._labelled else np.full_like(picture, IGNORE)
        (mask,) = preprocess.pad_masks(known[None], self._config)
        return torch.from_numpy(image), torch.from_numpy(mask).long()
