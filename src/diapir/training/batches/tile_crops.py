"""Random crops of tiles that are larger than the network's input, and whole tiles, by their size.

Where a crop is lies with the run's seed and the step alone. With geometric augmentation more than
the crop is taken, so that what rotation or zoom brings into view is the tile and not padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.tiles import TileSet
from diapir.training.batches.augment import ELASTIC_REACH, Augmentation

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class CropGroup:
    """Whole tiles or crops of one size from a batch.

    Attributes:
        rows: which images of the batch they are.
        images: `uint8 (n, H, W)`.
        masks: `uint8 (n, H, W)` of {0, 1, 255}.
        offset: `(n, 2)`: (x, y) in pixels from the centre of each array to that of the crop, which
            is off the centre where the array ends with the tile.
    """

    rows: Indices
    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    offset: Floats


def draw_places(count: int, seed: Sequence[int]) -> Floats:
    """Where `count` crops are, `(count, 2)`: 0 at the top and the left, 1 at the other end."""
    return np.random.default_rng([*seed, 4]).uniform(size=(count, 2))


def crop_groups(
    tiles: TileSet,
    indices: Indices,
    side: int,
    *,
    places: Floats | None = None,
    augmentation: Augmentation | None = None,
) -> Iterator[CropGroup]:
    """The images of a batch by their size, larger tiles as crops.

    Args:
        tiles: the tiles.
        indices: `(n,)`: which of them.
        side: of the network's input in pixels.
        places: `(n, 2)`: where the crops are, see `draw_places`; None crops the middle.
        augmentation: of the n images, whose geometry decides how much is taken around a crop; None
            for the crops alone.
    """
    shapes = tiles.shapes[indices]
    larger = (shapes > side).any(axis=1)
    for rows in _of_one_size(shapes, np.flatnonzero(~larger)):
        images, masks = tiles.stack(indices[rows])
        yield CropGroup(rows, images, masks, np.zeros((len(rows), 2)))
    rows = np.flatnonzero(larger)
    if not len(rows):
        return
    middle = np.full((len(indices), 2), 0.5)
    cuts = [
        _cut(shapes[row], (middle if places is None else places)[row], side, reach)
        for row, reach in zip(rows, _reaches(augmentation, shapes, side)[rows], strict=True)
    ]
    taken = np.array([[s.stop - s.start for s in cut[:2]] for cut in cuts])
    for same in _of_one_size(taken, np.arange(len(rows))):
        chosen = [(int(indices[rows[number]]), *cuts[number]) for number in same]
        yield CropGroup(
            rows[same],
            np.stack([tiles.image(tile)[down, across] for tile, down, across, _ in chosen]),
            np.stack([tiles.mask(tile)[down, across] for tile, down, across, _ in chosen]),
            np.stack([offset for *_, offset in chosen]),
        )


def _of_one_size(shapes: NDArray[np.integer], rows: Indices) -> list[Indices]:
    if not len(rows):
        return []
    kinds, kind = np.unique(shapes[rows], axis=0, return_inverse=True)
    return [rows[kind.ravel() == number] for number in range(len(kinds))]


def _reaches(augmentation: Augmentation | None, shapes: NDArray[np.int32], side: int) -> Floats:
    """How far from its centre each crop is sampled at most: `(n, 2)` in (rows, columns)."""
    half = np.minimum(shapes, side) / 2
    if augmentation is None:
        return half
    reach: Floats = (np.abs(augmentation.matrix) @ np.full(2, side / 2))[:, ::-1]
    moved = np.abs(augmentation.shift[:, ::-1]) * 2 * half
    bent = ELASTIC_REACH * augmentation.bend * side
    if augmentation.moves_pixels:
        reach = reach + moved + bent[:, None] + 2  # pixels that are interpolated at the rim
    return np.maximum(np.ceil(reach), half)


def _cut(
    shape: NDArray[np.int32], place: Floats, side: int, reach: Floats
) -> tuple[slice, slice, Floats]:
    """Rows and columns to take of a tile, and the crop's offset (x, y) from their centre."""
    slices, offsets = [], []
    for length, where, far in zip(shape.tolist(), place, reach, strict=True):
        crop = min(length, side)
        centre = round(where * (length - crop)) + crop / 2
        whole = length <= side
        low = 0 if whole else max(0, int(np.floor(centre - far)))
        high = length if whole else min(length, int(np.ceil(centre + far)))
        slices.append(slice(low, high))
        offsets.append(centre - (low + high) / 2)
    return slices[0], slices[1], np.array(offsets[::-1])
