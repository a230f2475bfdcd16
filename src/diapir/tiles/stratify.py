"""Stratified division of tiles into parts: equal salt coverage, groups kept together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diapir.connected import components
from diapir.errors import SplitError
from diapir.text import plural

if TYPE_CHECKING:
    from diapir.tiles.tileset import TileSet

_COVERAGE_EDGES = np.arange(10, dtype=np.float32) / 10
"""Upper edges of the classes of salt coverage: none, up to 10 %, …, up to 90 %, above."""


def share_out(tiles: TileSet, shares: Mapping[str, float], seed: int) -> dict[str, tuple[str, ...]]:
    """Divide labelled tiles into parts.

    Every part starts empty. Each cluster of tiles in turn, large ones first, goes to the part where
    it lowers Σ (tiles − target)² / target most, summed over the classes of coverage and the total.

    Args:
        tiles: labelled tiles, in any order.
        shares: share of the tiles of each part; they add up to 1.
        seed: different seeds give different divisions.

    Returns:
        Ids of each part, sorted. Every part holds salt, and no section group and no image is in
        two parts.

    Raises:
        SplitError: no masks, or too few tiles, groups or tiles with salt.
    """
    if not tiles.labelled:
        raise SplitError(
            f"{tiles.path} has no masks",
            expected="labelled tiles, which are divided by their salt coverage",
            fix="give a folder or zip with masks",
        )
    clusters = _clusters(tiles)
    classes = np.digitize(np.nan_to_num(tiles.coverage), _COVERAGE_EDGES, right=True)
    counts = np.array(
        [np.bincount(classes[members], minlength=len(_COVERAGE_EDGES) + 1) for members in clusters],
        dtype=np.int64,
    ).reshape(len(clusters), -1)
    has_salt: NDArray[np.bool_] = counts[:, 1:].sum(axis=1) > 0
    _require_enough(tiles, clusters, has_salt, list(shares))

    counts = np.column_stack([counts, counts.sum(axis=1)])
    totals = counts.sum(axis=0)
    counts, totals = counts[:, totals > 0], totals[totals > 0]
    target = np.array(list(shares.values()))[:, None] * totals
    # the total weighs as much as all classes together: sizes are exact, classes approximate
    weight = np.ones(len(totals))
    weight[-1] = len(totals)

    held = np.zeros_like(target)
    saltless = np.ones(len(shares), dtype=bool)
    salt_left = int(has_salt.sum())
    parts: list[list[str]] = [[] for _ in shares]
    for index in _drawing_order(tiles, clusters, seed):
        added = counts[index]
        cost = (weight * added * (2 * (held - target) + added) / target).sum(axis=1)
        if has_salt[index]:
            if salt_left <= saltless.sum():  # the last ones go to parts without salt
                cost[~saltless] = np.inf
            salt_left -= 1
        home = int(np.argmin(cost.round(6)))  # ties must not depend on a processor's last bit
        held[home] += added
        saltless[home] &= not has_salt[index]
        parts[home].extend(tiles.ids[member] for member in clusters[index])
    return {name: tuple(sorted(part)) for name, part in zip(shares, parts, strict=True)}


def _require_enough(
    tiles: TileSet,
    clusters: Sequence[Sequence[int]],
    has_salt: NDArray[np.bool_],
    parts: Sequence[str],
) -> None:
    """Refuse a set that leaves some part without tiles or without salt."""
    fewer = "" if "val" in parts else ", or make fewer folds"
    named = " and ".join(parts) if len(parts) < 4 else f"{len(parts)} parts"
    if len(clusters) < len(parts):
        grouped = f" in {plural(len(clusters), 'group')}" if len(clusters) < len(tiles) else ""
        raise SplitError(
            f"{tiles.path} has {plural(len(tiles), 'tile')}{grouped}: too few for {named}",
            expected=f"at least {len(parts)} section groups of different images, one for each part",
            fix=f"add tiles of other sections, correct groups.csv{fewer}",
        )
    salty = int(has_salt.sum())
    if salty < len(parts):
        found = (
            f"all masks of {tiles.path} are empty"
            if salty == 0
            else f"{tiles.path} has salt in only {plural(salty, 'group')}: too few for {named}"
        )
        raise SplitError(
            found,
            expected="salt in every part, for training and for evaluation",
            fix=f"add tiles with salt, or check the mask encoding with diapir data check{fewer}",
        )


def _clusters(tiles: TileSet) -> list[list[int]]:
    """Indices of the tiles that must stay together: same section group, or same image."""
    groups = _numbered(tiles.groups)
    images = _numbered(image_digests(tiles, range(len(tiles))))
    above = len(tiles)  # nodes below are groups, nodes from here on images
    cluster = components(2 * above, groups, above + images)[groups]
    members: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(cluster.tolist()):
        members[number].append(index)
    return list(members.values())


def _numbered(keys: Iterable[str]) -> NDArray[np.int64]:
    """A number for each key, the same for equal keys, from 0 in the order of first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _drawing_order(tiles: TileSet, clusters: Sequence[Sequence[int]], seed: int) -> list[int]:
    """Clusters in a random order, but large ones first, so that small ones can even them out.

    Sizes are compared by powers of two, so that the seed matters for groups of different sizes too.
    The order comes from a hash, as NumPy's generators may change from one version to the next.
    """

    def key(index: int) -> tuple[int, str]:
        members = clusters[index]
        name = min(tiles.ids[member] for member in members)
        chance = hashlib.sha256(f"{seed} {name}".encode()).hexdigest()
        return -len(members).bit_length(), chance

    return sorted(range(len(clusters)), key=key)


def image_digests(tiles: TileSet, indices: Iterable[int]) -> list[str]:
    """SHA-256 of the shape and pixels of the images at `indices`, masks left out."""
    return [tiles.pixels.image_hash(index) for index in indices]
