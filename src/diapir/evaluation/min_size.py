"""Confusion counts after small components have been removed, for many minimum sizes at once.

A histogram of probabilities does not know which pixels are connected. A connected component is kept
or removed as a whole, so its true and false positives are counted once, and every minimum size
selects among the counted components.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.evaluation.metrics import SALT, Tally
from diapir.inference.postprocess import label_areas

if TYPE_CHECKING:
    from diapir.tiles import TileSet


class Inside(NamedTuple):
    """Where a tile lies in a larger image that was predicted as a whole.

    Attributes:
        probability: of salt in the whole image, `float32 (H, W)`.
        rows: of the tile, in pixels.
        columns: of the tile, in pixels.
    """

    probability: NDArray[np.float32]
    rows: slice
    columns: slice


def tallies_by_min_size(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    min_sizes: Sequence[int],
    inside: Sequence[Inside] | None = None,
) -> list[Tally]:
    """Counts of each tile `(N,)` for each minimum size; ignored pixels (255) are not counted.

    Args:
        tiles: N labelled tiles.
        probabilities: of salt, `float32 (H, W)` for each tile, in the order of the tiles.
        threshold: a pixel is predicted as salt if p is at least this, in (0, 1).
        min_sizes: numbers of pixels; smaller connected components of salt are removed.
        inside: the larger image that each tile lies in, whose components may reach beyond the
            tile; None for tiles on their own. Tiles of one image should follow one another.
    """
    counts = np.zeros((4, len(min_sizes), len(tiles)))
    tp, fp, fn, tn = counts
    least = np.array(min_sizes)[:, None]
    components = _components(probabilities, np.float32(threshold), inside)
    for index in range(len(tiles)):
        mask = tiles.mask(index)
        salt, valid = mask == SALT, mask != IGNORE
        labels, sizes = components(index)
        right = np.bincount(labels[salt], minlength=len(sizes))
        wrong = np.bincount(labels[valid & ~salt], minlength=len(sizes))
        kept = sizes >= np.maximum(least, 1)  # label 0, the background, has size 0: never kept
        tp[:, index], fp[:, index] = kept @ right, kept @ wrong
        fn[:, index] = right.sum() - tp[:, index]
        tn[:, index] = wrong.sum() - fp[:, index]
    return [Tally(*counts[:, place]) for place in range(len(min_sizes))]


_Labels = tuple[NDArray[np.int64], NDArray[np.int64]]


def _components(
    probabilities: Sequence[NDArray[np.float32]],
    threshold: np.float32,
    inside: Sequence[Inside] | None,
) -> Callable[[int], _Labels]:
    """A function that numbers the components of a tile and gives their whole sizes."""
    if inside is None:
        return lambda index: label_areas(probabilities[index] >= threshold)
    latest: dict[int, _Labels] = {}

    def of_whole(index: int) -> _Labels:
        whole = inside[index]
        key = id(whole.probability)
        if key not in latest:
            latest.clear()
            latest[key] = label_areas(whole.probability >= threshold)
        labels, sizes = latest[key]
        return labels[whole.rows, whole.columns], sizes

    return of_whole
