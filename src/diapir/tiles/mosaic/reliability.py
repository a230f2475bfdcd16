"""How reliable a mosaic is, and how much a random split of its tiles would leak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.text import plural
from diapir.tiles.mosaic.assemble import Mosaic
from diapir.tiles.mosaic.placement import Link, Side

VAL_SHARE = 0.15
"""Share of validation tiles in the random split whose leakage is estimated: the default."""

DOUBT = 0.05
"""Share of wrong pairs above which a mosaic is called unreliable."""


def mosaic_figures(
    mosaic: Mosaic, groups: Sequence[str], masks: NDArray[np.uint8], labelled: NDArray[np.bool_]
) -> dict[str, Any]:
    """Figures on a mosaic as JSON values.

    Args:
        mosaic: the tiles laid out.
        groups: the group of each tile.
        masks: labels `uint8 (N, H, W)` of {0, 1, 255}.
        labelled: `(N,)`: whether a tile has any.

    Returns:
        tiles: the number of tiles: all, with labels, in a section, and with both.
        sections, groups: their number, and the size of the largest.
        matches: the pairs by side; see `assemble.MatchCounts`.
        wrong: the estimated number of wrong clear pairs, and their share; the number of links, and
            of those inside a square of four tiles, where a wrong one would be noticed.
        labels: agreement of the salt on both sides of labelled seams, as Dice, and by chance.
        random_split: the share of validation tiles in a random split that adjoin a training tile,
            and that share a group with one.
    """
    placed = np.array([tile for section in mosaic.sections for tile in section.values()], np.int64)
    clear = sum(tally.clear for tally in mosaic.tallies.values())
    decoys = sum(tally.decoys for tally in mosaic.tallies.values())
    known = [group for group, has in zip(groups, labelled.tolist(), strict=True) if has]
    sizes = Counter(known)
    return {
        "tiles": {
            "all": len(labelled),
            "labelled": int(labelled.sum()),
            "placed": len(placed),
            "labelled_placed": int(labelled[placed].sum()),
        },
        "sections": {
            "count": len(mosaic.sections),
            "largest": max(map(len, mosaic.sections), default=0),
            "seams": len(mosaic.seams),
        },
        "groups": {
            "of_labelled_tiles": len(sizes),
            "largest": max(sizes.values(), default=0),
            "labelled_tiles_not_alone": sum(size for size in sizes.values() if size > 1),
        },
        "matches": {side: asdict(tally) for side, tally in mosaic.tallies.items()},
        "wrong": {
            "clear_pairs": clear,
            "about": decoys,
            "share": decoys / clear if clear else 0.0,
            "links": len(mosaic.links),
            "links_in_squares": _in_squares(mosaic),
        },
        "doubtful": len(mosaic.doubtful),
        "overlaps": len(mosaic.overlaps),
        "twins": len(mosaic.twins),
        "labels": _label_agreement(mosaic.seams, masks, labelled),
        "random_split": {
            "val_share": VAL_SHARE,
            "beside_training_tile": _touched(_neighbours(mosaic.seams, labelled), labelled),
            "group_with_training_tile": _touched(
                np.array([sizes[group] - 1 for group in groups]), labelled
            ),
        },
    }


def figure_lines(figures: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    tiles, sections, groups = figures["tiles"], figures["sections"], figures["groups"]
    wrong, split = figures["wrong"], figures["random_split"]
    lines = [
        f"tiles     {tiles['all']}, {tiles['labelled']} with labels",
    ]
    for side, found in figures["matches"].items():
        lines.append(
            f"{side:<9} {plural(found['candidates'], 'candidate pair')}: {found['clear']} clear, "
            f"{found['likely']} more supported by other seams, {found['refused']} refused"
        )
    lines += [
        f"sections  {sections['count']} of up to {sections['largest']} tiles; {tiles['placed']} "
        f"tiles placed, {tiles['labelled_placed']} of them labelled",
        f"groups    {groups['of_labelled_tiles']} among labelled tiles, the largest of "
        f"{groups['largest']}; {groups['labelled_tiles_not_alone']} labelled tiles share a group. "
        f"Also grouped by {figures['doubtful']} doubtful pairs, {figures['overlaps']} overlaps and "
        f"{figures['twins']} pairs on neighbouring lines",
        f"wrong     about {wrong['about']:g} of {wrong['clear_pairs']} clear pairs "
        f"({wrong['share']:.1%}), estimated with negative controls; {wrong['links_in_squares']} of "
        f"{wrong['links']} links confirmed by a square of four tiles",
    ]
    for side, label in figures["labels"].items():
        if label["seams"]:
            lines.append(
                f"labels    {label['seams']} labelled seams {side}: salt agrees with Dice "
                f"{label['dice']:.2f}, by chance {label['dice_by_chance']:.2f}"
            )
    if wrong["share"] > DOUBT:
        lines.append(
            "          unreliable, as the edges of these tiles are too alike: check report/"
        )
    return [
        *lines,
        f"split     in a random {1 - split['val_share']:.0%}/{split['val_share']:.0%} split, "
        f"{split['beside_training_tile']:.1%} of the validation tiles adjoin a training tile "
        f"and {split['group_with_training_tile']:.1%} share a group with one",
    ]


def _in_squares(mosaic: Mosaic) -> int:
    """Number of links inside a square of four tiles."""
    places = {
        tile: (number, cell)
        for number, section in enumerate(mosaic.sections)
        for cell, tile in section.items()
    }
    count = 0
    for link in mosaic.links:
        number, (row, column) = places[link.first]
        section = mosaic.sections[number]
        down, along = (0, 1) if link.side == "right" else (1, 0)
        count += any(
            (row + along * step, column + down * step) in section
            and (row + down + along * step, column + along + down * step) in section
            for step in (-1, 1)
        )
    return count


def _neighbours(seams: Sequence[Link], labelled: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of labelled neighbours of each tile."""
    count = np.zeros(len(labelled), np.int64)
    for seam in seams:
        count[seam.first] += labelled[seam.second]
        count[seam.second] += labelled[seam.first]
    return count


def _touched(others: NDArray[np.int64], labelled: NDArray[np.bool_]) -> float:
    """Expected share of validation tiles with a training tile among their `others`."""
    known = others[labelled]
    return float((1 - VAL_SHARE**known).mean()) if len(known) else 0.0


def _label_agreement(
    seams: Sequence[Link], masks: NDArray[np.uint8], labelled: NDArray[np.bool_]
) -> dict[Side, dict[str, float]]:
    """Dice of the salt along both sides of seams between labelled tiles; absent without salt.

    The chance value is the mean over all permutations of the second tiles.
    """
    agreement: dict[Side, dict[str, float]] = {}
    for side in ("right", "below"):
        pairs = [
            (seam.first, seam.second)
            for seam in seams
            if seam.side == side and labelled[seam.first] and labelled[seam.second]
        ]
        near = masks[[first for first, _ in pairs]]
        far = masks[[second for _, second in pairs]]
        ends = (near[:, :, -1], far[:, :, 0]) if side == "right" else (near[:, -1], far[:, 0])
        salt = [(end == 1).astype(np.float64) for end in ends]
        total = salt[0].sum() + salt[1].sum()
        agreement[side] = {"seams": len(pairs)}
        if total:
            chance = (salt[0].sum(axis=0) * salt[1].sum(axis=0)).sum() / len(pairs)
            agreement[side] |= {
                "dice": 2 * float((salt[0] * salt[1]).sum()) / total,
                "dice_by_chance": 2 * float(chance) / total,
            }
    return agreement
