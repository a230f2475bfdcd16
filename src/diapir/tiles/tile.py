"""One tile of a set: an image and its mask."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class Tile(tuple[Image, Image | None]):
    """An image and its mask, as a pair: `image, mask = tile`.

    Attributes:
        image: grey, `uint8 (H, W)`.
        mask: `uint8 (H, W)` of {0 background, 1 salt, 255 ignore}; None in an unlabelled set.
        id: of the tile.
        group: section that it was cut from; its own id if that is unknown.
        depth: in the unit of the source; nan if unknown.
    """

    id: str
    group: str
    depth: float

    def __new__(
        cls,
        image: Image,
        mask: Image | None,
        id: str,  # noqa: A002 - as the attribute
        group: str = "",
        depth: float = math.nan,
    ) -> Tile:
        """A tile of these arrays, which belong to it."""
        tile = super().__new__(cls, (image, mask))
        tile.id, tile.group, tile.depth = id, group or id, depth
        return tile

    def __getnewargs__(self) -> tuple[Image, Image | None, str, str, float]:
        """Support copying, and pickling for the workers of a data loader."""
        return self.image, self.mask, self.id, self.group, self.depth

    @property
    def image(self) -> Image:
        """Grey, `uint8 (H, W)`."""
        return self[0]

    @property
    def mask(self) -> Image | None:
        """`uint8 (H, W)` of {0 background, 1 salt, 255 ignore}; None in an unlabelled set."""
        return self[1]

    @property
    def coverage(self) -> float:
        """Share of salt among the valid pixels, in [0, 1]; nan without a mask."""
        if self.mask is None:
            return math.nan
        return float((self.mask == 1).sum() / max(1, (self.mask != 255).sum()))

    def __repr__(self) -> str:
        height, width = self.image.shape
        salt = "unlabelled" if self.mask is None else f"{self.coverage:.1%} salt"
        return f"Tile({self.id!r}, {height} × {width} px, {salt})"
