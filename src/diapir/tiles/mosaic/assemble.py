"""Assembling tiles into the sections they were cut from.

Pairs of matching edges (see `edges`) are joined in order of ambiguity. A pair is refused if it
would place a tile on another one, or beside tiles that it does not match.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.connected import components
from diapir.tiles.mosaic.edges import (
    CONTROLS,
    Edges,
    best_matches,
    inner_edges,
    least_score,
    outer_edges,
)
from diapir.tiles.mosaic.neighbours import find_line_neighbours, find_overlaps
from diapir.tiles.mosaic.placement import Cell, Link, Placement, Side

CLEAR = 0.4
"""Ambiguity up to which a pair is joined on its own; by negative controls, 1 % are wrong on TGS."""

DOUBTFUL = 0.5
"""Ambiguity up to which a pair that is not joined still shares a group. By negative controls, 30 %
are wrong on TGS: an extra tile in a group does no harm, a missing one makes scores optimistic."""

LIKELY = 0.9
"""Ambiguity up to which a pair is joined if the other seams that it creates agree."""

AGREES = 0.6
"""Mean correlation from which seams agree: 0.1 % of chance pairs of TGS reach 0.65."""


@dataclass(frozen=True)
class MatchCounts:
    """How many pairs of one side were found, joined and refused.

    Attributes:
        edges: tiles with contrast at both edges of this side.
        flat: edges without contrast, which are never matched.
        candidates: pairs that are each other's best match.
        clear: candidates with an ambiguity of at most `CLEAR`.
        likely: further candidates that were joined because other seams agree.
        refused: clear candidates that contradict the sections.
        decoys: negative controls that matched as clearly: an estimate of how many of the clear
            candidates are wrong.
    """

    edges: int
    flat: int
    candidates: int
    clear: int
    likely: int
    refused: int
    decoys: float


@dataclass(frozen=True)
class Mosaic:
    """Tiles laid out in sections.

    Attributes:
        sections: the tiles of each section of at least two, by row and column from 0; largest
            section first.
        links: the pairs that were joined.
        seams: every two adjoining tiles with the correlation of their edges, nan if one has no
            contrast; includes the `links`.
        doubtful: pairs that share a group, but are too ambiguous to be joined.
        overlaps: pairs of tiles that share half their pixels.
        twins: pairs of tiles at the same place on two neighbouring lines.
        tallies: counts for each side.
    """

    sections: tuple[dict[Cell, int], ...]
    links: tuple[Link, ...]
    seams: tuple[Link, ...]
    doubtful: tuple[Link, ...]
    overlaps: tuple[tuple[int, int], ...]
    twins: tuple[tuple[int, int], ...]
    tallies: dict[Side, MatchCounts]

    def groups(self, names: Sequence[str]) -> list[str]:
        """The group of each tile, named by the smallest id in it.

        The tiles of a section share a group, and so do sections whose tiles overlap, are at the
        same place on neighbouring lines, or form a doubtful pair.
        """
        placed = [list(section.values()) for section in self.sections]
        edges = [(first, other) for first, *others in placed for other in others]
        edges += [(link.first, link.second) for link in self.doubtful]
        edges += [*self.overlaps, *self.twins]
        left, right = np.array(edges, dtype=np.int64).reshape(-1, 2).T
        homes = components(len(names), left, right).tolist()
        called: dict[int, str] = {}
        for home, name in zip(homes, names, strict=True):
            called[home] = min(called.get(home, name), name)
        return [called[home] for home in homes]


def find_mosaic(images: NDArray[np.uint8]) -> Mosaic:
    """Find which tiles adjoin and lay them out.

    Args:
        images: grey tiles `uint8 (N, H, W)` of one size, at least 4 pixels each way.

    Returns:
        Sections, and counts that say how reliable they are.
    """
    turned = images.transpose(0, 2, 1)
    sides: dict[Side, tuple[Edges, Edges]] = {
        "right": outer_edges(images),
        "below": outer_edges(turned),
    }
    candidates: list[Link] = []
    floors = {"right": least_score(images), "below": least_score(turned)}
    for side, (near, far) in sides.items():
        found = best_matches(near, far, least=floors[side])
        rows = zip(found.first, found.second, found.score, found.ambiguity, strict=True)
        candidates += [Link(int(a), int(b), side, float(s), float(t)) for a, b, s, t in rows]
    placement = Placement(len(images), sides)
    links, refused = _join_all(placement, candidates)
    tallies: dict[Side, MatchCounts] = {}
    for side, (near, far) in sides.items():
        mine = [link for link in candidates if link.side == side]
        taken = [link for link in links if link.side == side]
        tallies[side] = MatchCounts(
            edges=int((near.usable & far.usable).sum()),
            flat=int((~near.usable).sum() + (~far.usable).sum()),
            candidates=len(mine),
            clear=sum(link.ambiguity <= CLEAR for link in mine),
            likely=sum(link.ambiguity > CLEAR for link in taken),
            refused=sum(link.side == side for link in refused),
            decoys=_count_matched_controls(
                near, images if side == "right" else turned, floors[side]
            ),
        )
    sections = sorted(placement.sections(), key=lambda cells: (-len(cells), min(cells.values())))
    return Mosaic(
        sections=tuple(sections),
        links=tuple(links),
        seams=tuple(placement.seams(sections)),
        doubtful=tuple(
            link
            for link in candidates
            if CLEAR < link.ambiguity <= DOUBTFUL and not placement.adjoin(link)
        ),
        overlaps=tuple(find_overlaps(images)),
        twins=tuple(find_line_neighbours(images, sections)),
        tallies=tallies,
    )


def _count_matched_controls(near: Edges, images: NDArray[np.uint8], least: float) -> float:
    """Clear matches with negative controls: the mean over `CONTROLS`."""
    width = images.shape[2]
    passed = [
        best_matches(near, inner_edges(images, round(where * width)), least=least).ambiguity
        <= CLEAR
        for where in CONTROLS
    ]
    return sum(int(clear.sum()) for clear in passed) / len(passed)


def _join_all(placement: Placement, candidates: Sequence[Link]) -> tuple[list[Link], list[Link]]:
    """Join clear candidates, best first, then likely ones until no more match; joined, refused."""
    ordered = sorted(candidates, key=lambda link: link.ambiguity)
    joined: list[Link] = []
    refused: list[Link] = []
    for link in ordered:
        if link.ambiguity <= CLEAR:
            (joined if placement.join(link) else refused).append(link)
    waiting = [link for link in ordered if CLEAR < link.ambiguity <= LIKELY]
    while True:
        left: list[Link] = []
        for link in waiting:
            (joined if placement.join(link, support=AGREES) else left).append(link)
        if len(left) == len(waiting):
            return joined, refused
        waiting = left
