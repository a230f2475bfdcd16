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


def _edges(outer: NDArray[np.uint8], inner: NDArray[np.uint8]) -> Edges:
    line = outer.astype(np.float32)
    line += REACH * (line - inner)
    line -= line.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(line, axis=1)
    usable = norm >= FLAT * np.sqrt(line.shape[1])
    line[usable] /= norm[usable, None]
    line[~usable] = 0
    return Edges(line, usable)


def best_matches(right: Edges, left: Edges) -> Matches:
    """Pairs of a right and a left edge of which each is the other's best.

    A tile is never paired with itself. Memory is bounded by a block of edges against all.
    """
    tiles = len(right.profiles)
    of_right, of_left = _Best(tiles), _Best(tiles)
    columns = np.arange(tiles)
    for start in range(0, tiles, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, tiles))
        scores = right.profiles[rows] @ left.profiles.T
        scores[np.arange(len(rows)), rows] = -1
        scores[~right.usable[rows]] = -1
        scores[:, ~left.usable] = -1
        of_right.take(rows, columns, scores)
        of_left.take(columns, rows, scores.T)
    second = of_right.which
    mutual = (of_left.which[second] == columns) & (of_right.score > 0)
    first = columns[mutual]
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

    def take(self, rows: NDArray[np.int64], columns: NDArray[np.int64], scores: Floats) -> None:
        """Look at the scores `(rows, columns)` of these edges."""
        place = scores.argmax(axis=1)
        lines = np.arange(len(rows))
        best = scores[lines, place]
        if scores.shape[1] > 1:
            next_best = np.partition(scores, -2, axis=1)[:, -2]
        else:
            next_best = np.full(len(rows), -1, np.float32)
        old = self.score[rows]
        self.runner_up[rows] = np.maximum(
            np.minimum(best, old), np.maximum(self.runner_up[rows], next_best)
        )
        better = best > old
        self.which[rows[better]] = columns[place[better]]
        self.score[rows[better]] = best[better]
