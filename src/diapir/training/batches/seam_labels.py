"""Labels of neighbouring tiles that contradict each other along their common edge.

The tiles of TGS were labelled one by one, and salt that fills a tile was often labelled as
background: such a tile shows neither top nor base. In the reassembled sections such labels end
exactly at a tile's edge, which salt does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE

_LEAST_RUN = 10
"""Pixels along a seam from which different labels contradict each other; outlines are less exact
than a pixel."""

Place = tuple[slice, slice]


def ignore_beside_seams(mask: NDArray[np.uint8], places: Sequence[Place], width: int) -> int:
    """Ignore (255) background beside seams where the neighbour's label is salt.

    Salt is kept: where labels contradict each other, it is nearly always the tile without salt that
    is wrong.

    Args:
        mask: `uint8 (H, W)` of {0, 1, 255}, which is changed.
        places: rows and columns of the tiles, which do not overlap.
        width: pixels at right angles to the seam that are ignored, within the tile.

    Returns:
        The number of seams with contradictory labels.
    """
    known = {(place[0].start, place[1].start): place for place in places}
    before, found = mask.copy(), 0
    for rows, columns in places:
        right = known.get((rows.start, columns.stop))
        below = known.get((rows.stop, columns.start))
        # a seam between upper and lower tile is one between left and right of the transposed mask
        for neighbour, turned in ((right, False), (below, True)):
            if neighbour is None:
                continue
            pair = [before[rows, columns], before[neighbour]]
            changed = [mask[rows, columns], mask[neighbour]]
            if turned:
                pair, changed = [each.T for each in pair], [each.T for each in changed]
            found += _ignore(pair, changed, width)
    return found


def _ignore(pair: list[NDArray[np.uint8]], changed: list[NDArray[np.uint8]], width: int) -> bool:
    """Ignore background of two tiles, left and right, in the rows where labels contradict."""
    left, right = pair[0][:, -1], pair[1][:, 0]
    valid = (left != IGNORE) & (right != IGNORE)
    rows = _long_runs(valid & (left != right))
    sides = (slice(-min(width, pair[0].shape[1]), None), slice(0, width))
    for part, side in zip(changed, sides, strict=True):
        strip = part[:, side]
        strip[rows[:, None] & (strip == 0)] = IGNORE
    return bool(rows.any())


def _long_runs(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The flags in runs of at least `_LEAST_RUN`."""
    steps = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    kept = np.zeros_like(flags)
    for start, stop in zip(steps[::2], steps[1::2], strict=True):
        kept[start:stop] = stop - start >= _LEAST_RUN
    return kept
