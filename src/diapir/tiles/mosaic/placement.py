"""Laying tiles side by side: sections grow as pairs of tiles are joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from diapir.tiles.mosaic.edges import Edges, correlations

CONTRADICTS = 0.4
"""Mean correlation below which seams contradict a pair; 5 % of those inside TGS tiles are < 0.7."""

Side = Literal["right", "below"]
Cell = tuple[int, int]


@dataclass(frozen=True)
class Link:
    """Two tiles that adjoin: the second is `side` of the first.

    Attributes:
        first: index of the left or upper tile.
        second: index of the right or lower tile.
        side: side of the first tile on which the second lies.
        score: correlation of their edges.
        ambiguity: see `edges.Matches`.
    """

    first: int
    second: int
    side: Side
    score: float
    ambiguity: float


class Placement:
    """The place of each tile in its section; `join` merges two sections.

    Args:
        tiles: number of tiles; at first, each is its own section.
        sides: the edges that meet at a seam of each side: those of the first tiles and those of the
            second.
    """

    def __init__(self, tiles: int, sides: dict[Side, tuple[Edges, Edges]]) -> None:
        self._sides = sides
        self._home = list(range(tiles))
        self._place: list[Cell] = [(0, 0)] * tiles
        self._cells: dict[int, dict[Cell, int]] = {tile: {(0, 0): tile} for tile in range(tiles)}

    def join(self, link: Link, *, support: float | None = None) -> bool:
        """Place the second tile's section beside the first tile.

        Args:
            link: the pair.
            support: minimum mean correlation of the other seams that this creates, of which there
                must be some; None if the pair is enough, unless other seams contradict it.

        Returns:
            Whether the two tiles now adjoin as in the pair.
        """
        wanted = self._beside(link)
        there, here = self._home[link.first], self._home[link.second]
        if there == here:
            return self.adjoin(link)
        down = wanted[0] - self._place[link.second][0]
        along = wanted[1] - self._place[link.second][1]
        fixed = self._cells[there]
        moved = {(r + down, c + along): tile for (r, c), tile in self._cells[here].items()}
        if fixed.keys() & moved.keys():
            return False
        pair = (link.first, link.second, link.side)
        scores = [
            score
            for *seam, score in self._scored(_across(fixed, moved))
            if tuple(seam) != pair and not np.isnan(score)
        ]
        if scores and np.mean(scores) < (CONTRADICTS if support is None else support):
            return False
        if not scores and support is not None:
            return False
        fixed |= moved
        for cell, tile in moved.items():
            self._home[tile], self._place[tile] = there, cell
        del self._cells[here]
        return True

    def adjoin(self, link: Link) -> bool:
        """Whether the two tiles adjoin as in the pair."""
        same = self._home[link.first] == self._home[link.second]
        return same and self._place[link.second] == self._beside(link)

    def _beside(self, link: Link) -> Cell:
        """The cell of the second tile in the section of the first."""
        row, column = self._place[link.first]
        return (row + 1, column) if link.side == "below" else (row, column + 1)

    def sections(self) -> Iterator[dict[Cell, int]]:
        """Sections of at least two tiles, rows and columns from 0."""
        for cells in self._cells.values():
            if len(cells) > 1:
                top = min(row for row, _ in cells)
                left = min(column for _, column in cells)
                yield {(row - top, col - left): cells[row, col] for row, col in sorted(cells)}

    def seams(self, sections: Sequence[dict[Cell, int]]) -> Iterator[Link]:
        """Every two adjoining tiles."""
        for cells in sections:
            for first, second, side, score in self._scored(_across(cells, cells)):
                yield Link(first, second, side, score, float("nan"))

    def _scored(
        self, pairs: Sequence[tuple[int, int, Side]]
    ) -> Iterator[tuple[int, int, Side, float]]:
        by_side: dict[Side, list[tuple[int, int]]] = defaultdict(list)
        for first, second, side in pairs:
            by_side[side].append((first, second))
        for side, edges in by_side.items():
            scores = correlations(*self._sides[side], edges)
            for (first, second), score in zip(edges, scores.tolist(), strict=True):
                yield first, second, side, score


def _across(fixed: dict[Cell, int], moved: dict[Cell, int]) -> list[tuple[int, int, Side]]:
    """The seams between two parts of a section, or those inside one part that is given twice."""
    found: list[tuple[int, int, Side]] = []
    for (row, column), tile in moved.items():
        if (other := fixed.get((row, column - 1))) is not None:
            found.append((other, tile, "right"))
        if (other := fixed.get((row - 1, column))) is not None:
            found.append((other, tile, "below"))
        if moved is fixed:
            continue
        if (other := fixed.get((row, column + 1))) is not None:
            found.append((tile, other, "right"))
        if (other := fixed.get((row + 1, column))) is not None:
            found.append((tile, other, "below"))
    return found
