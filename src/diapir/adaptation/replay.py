"""Replay: what is trained on beside a survey's labels, so that a model keeps what it knew.

A few labelled lines show one shape of salt. Trained on them alone, a model forgets the others:
adapted to salt at the left edge of a line, it no longer finds it at the right edge of the next one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.adaptation.crops import Crops
from diapir.config import IGNORE, AugmentConfig
from diapir.tiles import TileSet, load_tiles
from diapir.tiles.synthetic import make_section
from diapir.training.batches.augment import draw

SECTIONS = 48
"""Synthetic sections, each in a style of its own; they take some six seconds to make."""
_SURVEY = 1
"""Seed of the synthetic survey, which is the same in every adaptation."""
_VIEWS = AugmentConfig(flip="random", scale=0.3, stretch=0.2, rotate=5)
"""How windows of synthetic sections vary."""
_TILES = 0.5
"""Share of the replayed windows that are tiles, where tiles are given."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Replay:
    """Windows to draw beside those of a survey.

    Attributes:
        share: their share of all windows, in (0, 1).
        tiles: labelled tiles, such as those that the model was trained on, beside the synthetic
            sections; None for none.
    """

    share: float
    tiles: TileSet | None = None

    @classmethod
    def open(cls, share: float, tiles: Path | None = None) -> Replay | None:
        """Read labelled tiles in any layout.

        Args:
            share: share of all windows; 0 for no replay.
            tiles: their path; None for synthetic sections only.

        Raises:
            DataError: the tiles cannot be used.
        """
        if not share:
            return None
        read = None if tiles is None else load_tiles(tiles)
        return cls(share, read)

    @property
    def name(self) -> str:
        """What is replayed, in words."""
        return "synthetic sections" + (f" and {self.tiles.name}" if self.tiles else "")

    def count(self, batch: int) -> int:
        """Number of replayed windows in a batch."""
        return min(batch - 1, max(1, round(batch * self.share)))

    def cut(self, count: int, size: int, seed: Sequence[int]) -> tuple[Bytes, Bytes]:
        """Draw windows.

        Args:
            count: number of windows.
            size: height and width in pixels.
            seed: the numbers that the draws depend on.

        Returns:
            Images and masks, `uint8 (count, size, size)`; 255 in the masks beside a tile.
        """
        own = (*seed, 7)
        rng = np.random.default_rng(own)
        from_tiles = int(rng.binomial(count, _TILES)) if self.tiles else 0
        views = draw(_VIEWS, count, own).matrix
        images, masks = synthetic_sections(SECTIONS).cut(size, views[from_tiles:], own)
        if self.tiles is None:
            return images, masks
        more = _draw_tiles(self.tiles, from_tiles, size, rng)
        return np.concatenate([images, more[0]]), np.concatenate([masks, more[1]])


@functools.cache
def synthetic_sections(count: int) -> Crops:
    """Synthetic sections, each in a style of its own; made once in a process, when first needed."""
    made = [make_section(_SURVEY, number, varied=True) for number in range(count)]
    return Crops([each.grey for each in made], [each.salt for each in made])


def _draw_tiles(
    tiles: TileSet, count: int, size: int, rng: np.random.Generator
) -> tuple[Bytes, Bytes]:
    """Tiles, mirrored or cut to a size."""
    images = np.empty((count, size, size), np.uint8)
    masks = np.full((count, size, size), IGNORE, np.uint8)
    for row, tile in enumerate(rng.integers(len(tiles), size=count).tolist()):
        image, mask = tiles.image(tile), tiles.mask(tile)
        starts = [int(rng.integers(max(0, side - size) + 1)) for side in image.shape]
        part = tuple(slice(start, start + size) for start in starts)
        image, mask = image[part], mask[part]
        missing = [size - side for side in image.shape]
        margins = [(each // 2, each - each // 2) for each in missing]
        images[row] = np.pad(image, margins, mode="symmetric")
        masks[row] = np.pad(mask, margins, constant_values=IGNORE)
    return images, masks
