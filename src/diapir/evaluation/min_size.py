"""Pixels counted after marking: where salt of too few pixels is left out, histograms cannot count.

An area is all salt or none, so its pixels are counted once, by truth, and every least area that is
asked for is a choice among the counted ones.
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


def tally_marked(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    min_area: int,
) -> Tally:
    """Counts of each tile `(N,)` where marked salt is predicted; ignored pixels (255) are left out.

    Args:
        tiles: N labelled tiles.
        probabilities: of salt, `float32 (H, W)` of each tile, in the tiles' order.
        threshold: salt is marked where p is at least this, in (0, 1).
        min_area: pixels; connected salt of fewer than this is not marked.
    """
    return tallies_marked(tiles, probabilities, threshold=threshold, min_areas=[min_area])[0]


def tallies_marked(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    min_areas: Sequence[int],
) -> list[Tally]:
    """As `tally_marked`, for several least areas at the cost of one."""
    counts = np.zeros((4, len(min_areas), len(tiles)))
    hit, false, missed, rest = counts
    least = np.array(min_areas)[:, None]
    for index, probability in enumerate(probabilities):
        truth = tiles.mask(index)
        salt, valid = truth == SALT, truth != IGNORE
        labels, areas = label_areas(probability >= np.float32(threshold))
        found = np.bincount(labels[salt], minlength=len(areas))
        wrong = np.bincount(labels[valid & ~salt], minlength=len(areas))
        kept = areas >= np.maximum(least, 1)  # what is in no area has no pixel, and is never kept
        hit[:, index], false[:, index] = kept @ found, kept @ wrong
        missed[:, index] = found.sum() - hit[:, index]
        rest[:, index] = wrong.sum() - false[:, index]
    return [Tally(*counts[:, place]) for place in range(len(min_areas))]
