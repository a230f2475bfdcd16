"""Tiles put back into the sections they were cut from.

Pairs of edges that fit (see `mosaic_edges`) are taken up best first. A pair that would lay a tile
on another, or beside tiles that it does not fit, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diapir.connected import components
from diapir.tiles.mosaic.edges import (
    DECOYS,
    Edges,
    best_matches,
    inner_edges,
    least_score,
    outer_edges,
)
from diapir.tiles.mosaic.neighbours import find_overlaps, find_twins
from diapir.tiles.mosaic.placement import Cell, Layout, Link, Side

CLEAR = 0.4
"""Ambiguity up to which a pair is taken up on its own: 1 % of such pairs of TGS are decoys."""

DOUBTFUL = 0.5
"""Ambiguity up to which a pair that is taken up nowhere still shares a group: some 3 of 10 such
pairs of TGS are decoys. A tile too many in a group costs nothing, one too few flatters a score."""

LIKELY = 0.9
"""Ambiguity up to which it is taken up where the other seams that it makes agree."""

AGREES = 0.6
"""Mean correlation from which seams agree: 1 in 1,000 chance pairs of TGS reaches 0.65."""


@dataclass(frozen=True)
class Tally:
    """What became of the pairs of one side.

    Attributes:
        edges: tiles with contrast at both edges of this side.
        flat: edges without contrast, which are never matched.
        candidates: pairs that are each other's best.
        clear: candidates no more ambiguous than `CLEAR`.
        likely: further candidates taken up because other seams agree.
        refused: clear candidates that the sections contradict.
        decoys: pairs that passed as clear with an edge which adjoins nothing: about as many of the
            clear ones are wrong.
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
        sections: of each section of at least two tiles, its tiles by row and column from 0; large
            sections first.
        links: the pairs that were taken up.
        seams: every two tiles that lie side by side, with the correlation of their edges, nan where
            one has no contrast: more than `links`.
        doubtful: pairs that share a group, but are not sure enough to be laid out.
        overlaps: pairs of tiles that share half their pixels.
        twins: pairs of tiles at the same place of two neighbouring lines.
        tallies: figures for each side.
    """

    sections: tuple[dict[Cell, int], ...]
    links: tuple[Link, ...]
    seams: tuple[Link, ...]
    doubtful: tuple[Link, ...]
    overlaps: tuple[tuple[int, int], ...]
    twins: tuple[tuple[int, int], ...]
    tallies: dict[Side, Tally]

    def groups(self, names: Sequence[str]) -> list[str]:
        """The group of each tile, called by the smallest id in it.

        A section is in one group; sections share theirs where their tiles overlap, are twins, or
        adjoin by a doubtful pair.
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
        Sections, and figures of how sure they are.
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
    layout = Layout(len(images), sides)
    links, refused = _take_up(layout, candidates)
    tallies: dict[Side, Tally] = {}
    for side, (near, far) in sides.items():
        mine = [link for link in candidates if link.side == side]
        taken = [link for link in links if link.side == side]
        tallies[side] = Tally(
            edges=int((near.usable & far.usable).sum()),
            flat=int((~near.usable).sum() + (~far.usable).sum()),
            candidates=len(mine),
            clear=sum(link.ambiguity <= CLEAR for link in mine),
            likely=sum(link.ambiguity > CLEAR for link in taken),
            refused=sum(link.side == side for link in refused),
            decoys=_count_decoys(near, images if side == "right" else turned, floors[side]),
        )
    sections = sorted(layout.sections(), key=lambda cells: (-len(cells), min(cells.values())))
    return Mosaic(
        sections=tuple(sections),
        links=tuple(links),
        seams=tuple(layout.seams(sections)),
        doubtful=tuple(
            link
            for link in candidates
            if CLEAR < link.ambiguity <= DOUBTFUL and not layout.adjoin(link)
        ),
        overlaps=tuple(find_overlaps(images)),
        twins=tuple(find_twins(images, sections)),
        tallies=tallies,
    )


def _count_decoys(near: Edges, images: NDArray[np.uint8], least: float) -> float:
    """Pairs that pass as clear with seams from inside the tiles: the mean over `DECOYS`."""
    width = images.shape[2]
    passed = [
        best_matches(near, inner_edges(images, round(where * width)), least=least).ambiguity
        <= CLEAR
        for where in DECOYS
    ]
    return sum(int(clear.sum()) for clear in passed) / len(passed)


def _take_up(layout: Layout, candidates: Sequence[Link]) -> tuple[list[Link], list[Link]]:
    """Join clear candidates, best first, then likely ones until no more fit; taken and refused."""
    ordered = sorted(candidates, key=lambda link: link.ambiguity)
    taken: list[Link] = []
    refused: list[Link] = []
    for link in ordered:
        if link.ambiguity <= CLEAR:
            (taken if layout.join(link) else refused).append(link)
    waiting = [link for link in ordered if CLEAR < link.ambiguity <= LIKELY]
    while True:
        left: list[Link] = []
        for link in waiting:
            (taken if layout.join(link, support=AGREES) else left).append(link)
        if len(left) == len(waiting):
            return taken, refused
        waiting = left
