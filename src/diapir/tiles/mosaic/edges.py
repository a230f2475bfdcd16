"""Finding adjoining tiles from their edges.

A tile of a challenge set is cut from a larger section and often scaled to its own contrast, so two
edges are compared by their correlation, which does not depend on gain and offset. Each edge is
first extrapolated half way across the seam, so that two neighbours describe the same line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

REACH = 0.65
"""How far an edge is extrapolated, in pixels. Of 0 … 1, this found most pairs of TGS tiles at the
same rate of matched negative controls; 0 loses a third of the pairs across vertical seams."""

FLAT = 4.0
"""Standard deviation in grey levels below which an edge is not used (padding, water, salt)."""

RARE = 0.02
"""Quantile of the correlation across seams inside tiles that matched edges have to reach. This
matters for small sets, which have few other pairs to compare with."""

CONTROLS = (0.25, 0.75)
"""Where tiles are cut to get negative controls: edges that adjoin no other tile, as shares of the
width. Not at one half: some sets were cut again at half a tile's offset, where that is an edge."""

_BLOCK = 512
"""Number of edges that are compared with all others at a time; limits the memory."""


@dataclass(frozen=True)
class Edges:
    """One side of many tiles, or seams inside them.

    Attributes:
        profiles: `float32 (N, L)`: each of mean 0 and norm 1.
        usable: `(N,)`: whether the edge has contrast.
    """

    profiles: Floats
    usable: NDArray[np.bool_]


@dataclass(frozen=True)
class Matches:
    """Pairs of edges that are each other's best match, in the order of the first tile.

    Attributes:
        first: `int64 (M,)`: the left or upper tile of each pair.
        second: `int64 (M,)`: the right or lower one.
        score: `float32 (M,)`: correlation of the two edges, up to 1.
        ambiguity: `float32 (M,)`: (1 − score) / (1 − score of the second best match of either
            edge), at most 1. 0 is certain, 1 a tie.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    score: Floats
    ambiguity: Floats


def outer_edges(images: NDArray[np.uint8]) -> tuple[Edges, Edges]:
    """The right edges and the left edges of tiles `uint8 (N, H, W)`.

    Of transposed tiles, these are the lower and the upper edges.
    """
    return (
        _edges(images[:, :, -1], images[:, :, -2]),
        _edges(images[:, :, 0], images[:, :, 1]),
    )


def inner_edges(images: NDArray[np.uint8], column: int) -> Edges:
    """Left edges of tiles `uint8 (N, H, W)` that were cut before a column: negative controls.

    What lies left of such an edge is in the tile itself, so no other tile adjoins it: a match is
    due to chance or to an overlap.
    """
    return _edges(images[:, :, column], images[:, :, column + 1])


def least_score(images: NDArray[np.uint8]) -> float:
    """Correlation that all seams inside tiles reach but a share of `RARE`."""
    scores = []
    for where in CONTROLS:
        column = round(where * images.shape[2])
        near = _edges(images[:, :, column - 1], images[:, :, column - 2])
        far = inner_edges(images, column)
        both = near.usable & far.usable
        scores.append((near.profiles[both] * far.profiles[both]).sum(axis=1))
    known = np.concatenate(scores)
    return float(np.quantile(known, RARE)) if len(known) else 1.0


def _edges(outer: NDArray[np.uint8], inner: NDArray[np.uint8]) -> Edges:
    line = outer.astype(np.float32)
    line += REACH * (line - inner)
    line -= line.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(line, axis=1)
    usable = norm >= FLAT * np.sqrt(line.shape[1])
    line[usable] /= norm[usable, None]
    line[~usable] = 0
    return Edges(line, usable)


def best_matches(right: Edges, left: Edges, *, least: float) -> Matches:
    """Pairs of a right and a left edge that are each other's best match.

    A tile is never paired with itself.

    Args:
        right: right edges of the tiles.
        left: left edges of the tiles.
        least: minimum correlation of a pair.
    """
    tiles = len(right.profiles)
    of_right, of_left = _Best(tiles), _Best(tiles)
    everything = slice(0, tiles)
    for start in range(0, tiles, _BLOCK):
        block = slice(start, min(start + _BLOCK, tiles))
        scores = right.profiles[block] @ left.profiles.T
        own = np.arange(block.start, block.stop)
        scores[own - start, own] = -1
        scores[~right.usable[block]] = -1
        scores[:, ~left.usable] = -1
        of_right.take(block, everything, scores, axis=1)
        of_left.take(everything, block, scores, axis=0)
    second = of_right.which
    mutual = (of_left.which[second] == np.arange(tiles)) & (of_right.score >= least)
    first = np.flatnonzero(mutual)
    second = second[mutual]
    score = of_right.score[first]
    rival = np.maximum(of_right.runner_up[first], of_left.runner_up[second])
    ambiguity = (1 - score) / np.maximum(1 - rival, 1e-6)
    return Matches(first, second, score, np.minimum(ambiguity, 1).astype(np.float32))


def correlations(right: Edges, left: Edges, pairs: Sequence[tuple[int, int]]) -> Floats:
    """`float32 (len(pairs),)`: correlation of the right edge of one tile and the left of another.

    nan if either edge has no contrast.
    """
    first, second = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    scores = (right.profiles[first] * left.profiles[second]).sum(axis=1)
    scores[~(right.usable[first] & left.usable[second])] = np.nan
    return np.asarray(scores, np.float32)


class _Best:
    """The best and second best match of each edge, over blocks of candidates."""

    def __init__(self, edges: int) -> None:
        self.which = np.zeros(edges, np.int64)
        self.score = np.full(edges, -1, np.float32)
        self.runner_up = np.full(edges, -1, np.float32)

    def take(self, edges: slice, partners: slice, scores: Floats, *, axis: int) -> None:
        """Take the scores of `edges` with `partners`, which lie along `axis`, into account."""
        place = scores.argmax(axis=axis)
        lines = np.arange(len(place))
        top = (lines, place) if axis == 1 else (place, lines)
        best = scores[top]
        scores[top] = -1  # for a moment, to find the second best
        next_best = scores.max(axis=axis)
        scores[top] = best
        old = self.score[edges]
        self.runner_up[edges] = np.maximum(
            np.minimum(best, old), np.maximum(self.runner_up[edges], next_best)
        )
        better = best > old
        self.which[edges] = np.where(better, place + partners.start, self.which[edges])
        self.score[edges] = np.maximum(best, old)
