"""Tiles that show the same rock without adjoining: overlapping ones, and those of the next line.

They are not laid out in one section, but a split must keep them together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diapir.tiles.mosaic.edges import FLAT, best_matches, inner_edges, outer_edges
from diapir.tiles.mosaic.placement import Cell

SAME = 0.98
"""Correlation from which the shared halves of two tiles are the same pixels: overlapping TGS tiles
reach at least 0.99, and hardly any others 0.97."""

ALIKE = 0.6
"""Correlation from which two tiles may show the same place on neighbouring lines."""

LEAST_PAIRS = 2
"""Minimum number of similar tiles at the same shift for two sections to be neighbouring lines."""

_SLACK = 1
"""Pixels by which an overlap may differ from half a tile."""

_COARSE = 24
"""Height and width in pixels to which tiles are reduced before they are compared."""

_BLOCK = 1024


def find_overlaps(images: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Pairs of tiles that overlap by half their width or half their height.

    Args:
        images: grey tiles `uint8 (N, H, W)`.
    """
    found: set[tuple[int, int]] = set()
    for turned in (images, images.transpose(0, 2, 1)):
        right, _ = outer_edges(turned)
        width = turned.shape[2]
        for shared in range(width // 2 - _SLACK, width // 2 + _SLACK + 1):
            matches = best_matches(right, inner_edges(turned, shared), least=ALIKE)
            for first, second in zip(matches.first.tolist(), matches.second.tolist(), strict=True):
                if _same(turned[first, :, -shared:], turned[second, :, :shared]):
                    found.add((first, second))
    return sorted(found)


def _same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    if min(one.std(), other.std()) < FLAT:
        return False
    return bool(np.corrcoef(one.ravel(), other.ravel())[0, 1] >= SAME)


def find_line_neighbours(
    images: NDArray[np.uint8], sections: Sequence[dict[Cell, int]]
) -> list[tuple[int, int]]:
    """Pairs of tiles at the same place on two neighbouring lines of a survey.

    A single pair of similar tiles may be chance, as layers look alike. Two sections count as
    neighbours if several of their tiles are similar at the same shift.

    Args:
        images: grey tiles `uint8 (N, H, W)`.
        sections: tiles by row and column.
    """
    tiles = np.array([tile for section in sections for tile in section.values()], np.int64)
    home = [number for number, section in enumerate(sections) for _ in section]
    cells = [cell for section in sections for cell in section]
    reduced = _reduced(images[tiles]) if len(tiles) else np.zeros((0, 1), np.float32)
    shifts: dict[tuple[int, int, int, int], list[tuple[int, int]]] = defaultdict(list)
    for start in range(0, len(tiles), _BLOCK):
        scores = reduced[start : start + _BLOCK] @ reduced.T
        for block_row, two in np.argwhere(scores >= ALIKE).tolist():
            one = start + block_row
            if home[one] < home[two]:
                down, along = (cells[two][axis] - cells[one][axis] for axis in (0, 1))
                pair = (int(tiles[one]), int(tiles[two]))
                shifts[home[one], home[two], down, along].append(pair)
    return sorted(pair for pairs in shifts.values() if len(pairs) >= LEAST_PAIRS for pair in pairs)


def _reduced(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Tiles averaged over boxes and scaled to mean 0 and norm 1; 0 if they have no contrast."""
    count, height, width = images.shape
    tall, wide = (max(1, side // _COARSE) for side in (height, width))
    rows, columns = height // tall, width // wide
    cut = images[:, : rows * tall, : columns * wide].reshape(count, rows, tall, columns, wide)
    flat = cut.mean(axis=(2, 4), dtype=np.float32).reshape(count, -1)
    flat -= flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    usable = norm >= FLAT * np.sqrt(flat.shape[1])
    return np.asarray(np.where(usable, flat / np.maximum(norm, 1e-6), 0), np.float32)
