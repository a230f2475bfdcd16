"""Which tiles adjoin, told by their edges alone.

A tile of a challenge set is cut from a larger section and often scaled to its own contrast, so two
edges are compared by their correlation, which no gain and no offset changes. Each edge is carried
half way over the seam along its own slope first: two neighbours then describe the same line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

REACH = 0.65
"""How far an edge is carried over, in pixels. Of 0 … 1 this found most pairs of TGS tiles at the
same rate of decoys; with 0 a third of the pairs across a vertical seam is lost."""

FLAT = 4.0
"""Grey levels of standard deviation below which an edge says nothing (padding, water, salt)."""

RARE = 0.02
"""Share of the seams inside the tiles that fit worse than any two edges which are matched. It
matters where there are few tiles, and so few other pairs to compare with."""

DECOYS = (0.25, 0.75)
"""Where in a tile the seams lie that stand in for edges which adjoin nothing. Not half way: sets
are met that were cut a second time at half a tile's offset, and there such a seam is an edge."""

_BLOCK = 512
"""Edges compared with all others at a time: bounds the memory."""


@dataclass(frozen=True)
class Edges:
    """One side of many tiles, or seams inside them.

    Attributes:
        profiles: `float32 (N, L)`: mean 0 and norm 1 each.
        usable: `(N,)`: whether the edge has any contrast.
    """

    profiles: Floats
    usable: NDArray[np.bool_]


@dataclass(frozen=True)
class Matches:
    """Pairs that are each other's best, in the order of the first tile.

    Attributes:
        first: `int64 (M,)`: the left or upper tile of each pair.
        second: `int64 (M,)`: the right or lower one.
        score: `float32 (M,)`: correlation of the two edges, up to 1.
        ambiguity: `float32 (M,)`: what the pair lacks to a correlation of 1, as a share of what the
            best other pair of either edge lacks. 0 is beyond doubt, 1 a draw.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    score: Floats
    ambiguity: Floats


def outer_edges(images: NDArray[np.uint8]) -> tuple[Edges, Edges]:
    """The right edges and the left edges of tiles `uint8 (N, H, W)`, ready to be compared.

    Upper and lower edges are those of the transposed tiles: the lower ones come first.
    """
    return (
        _edges(images[:, :, -1], images[:, :, -2]),
        _edges(images[:, :, 0], images[:, :, 1]),
    )


def inner_edges(images: NDArray[np.uint8], column: int) -> Edges:
    """Left edges that tiles `uint8 (N, H, W)` would have, were they cut before a column.

    What lies left of such an edge is in the tile itself, so no other tile adjoins it: all that
    matches one does so by chance, or overlaps the tile. In every other respect it is an edge like
    any other.
    """
    return _edges(images[:, :, column], images[:, :, column + 1])


def least_score(images: NDArray[np.uint8]) -> float:
    """Correlation that all but the `RARE` seams inside tiles reach: neighbours should as well."""
    scores = []
    for where in DECOYS:
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
    """Pairs of a right and a left edge of which each is the other's best.

    A tile is never paired with itself. Memory is bounded by a block of edges against all.

    Args:
        right: the edges of which each may find a partner.
        left: the partners.
        least: correlation that a pair needs.
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

    nan where either edge says nothing.
    """
    first, second = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    scores = (right.profiles[first] * left.profiles[second]).sum(axis=1)
    scores[~(right.usable[first] & left.usable[second])] = np.nan
    return np.asarray(scores, np.float32)


class _Best:
    """The best and second best partner of each edge, over blocks of partners."""

    def __init__(self, edges: int) -> None:
        self.which = np.zeros(edges, np.int64)
        self.score = np.full(edges, -1, np.float32)
        self.runner_up = np.full(edges, -1, np.float32)

    def take(self, edges: slice, partners: slice, scores: Floats, *, axis: int) -> None:
        """Look at the scores of `edges` with `partners`, which lie along `axis`."""
        place = scores.argmax(axis=axis)
        lines = np.arange(len(place))
        top = (lines, place) if axis == 1 else (place, lines)
        best = scores[top]
        scores[top] = -1  # for a moment, to see what comes next
        next_best = scores.max(axis=axis)
        scores[top] = best
        old = self.score[edges]
        self.runner_up[edges] = np.maximum(
            np.minimum(best, old), np.maximum(self.runner_up[edges], next_best)
        )
        better = best > old
        self.which[edges] = np.where(better, place + partners.start, self.which[edges])
        self.score[edges] = np.maximum(best, old)
