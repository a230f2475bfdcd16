"""Confusion counts after small components have been removed, for many minimum sizes at once.

A histogram of probabilities does not know which pixels are connected. A connected component is kept
or removed as a whole, so its true and false positives are counted once, and every minimum size
selects among the counted components.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.evaluation.metrics import SALT, Tally
from diapir.inference.postprocess import label_areas

if TYPE_CHECKING:
    from diapir.tiles import TileSet


def tallies_by_min_size(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    min_sizes: Sequence[int],
) -> list[Tally]:
    """Counts of each tile `(N,)` for each minimum size; ignored pixels (255) are not counted.

    Args:
        tiles: N labelled tiles.
        probabilities: of salt, `float32 (H, W)` for each tile, in the order of the tiles.
        threshold: a pixel is predicted as salt if p is at least this, in (0, 1).
        min_sizes: numbers of pixels; smaller connected components of salt are removed.
    """
    counts = np.zeros((4, len(min_sizes), len(tiles)))
    tp, fp, fn, tn = counts
    least = np.array(min_sizes)[:, None]
    for index, probability in enumerate(probabilities):
        mask = tiles.mask(index)
        salt, valid = mask == SALT, mask != IGNORE
        labels, sizes = label_areas(probability >= np.float32(threshold))
        right = np.bincount(labels[salt], minlength=len(sizes))
        wrong = np.bincount(labels[valid & ~salt], minlength=len(sizes))
        kept = sizes >= np.maximum(least, 1)  # label 0, the background, has size 0: never kept
        tp[:, index], fp[:, index] = kept @ right, kept @ wrong
        fn[:, index] = right.sum() - tp[:, index]
        tn[:, index] = wrong.sum() - fp[:, index]
    return [Tally(*counts[:, place]) for place in range(len(min_sizes))]
