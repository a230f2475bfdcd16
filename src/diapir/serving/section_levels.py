"""Sections as 8-bit tiles, in sizes halved again and again, made from blocks of columns.

Amplitudes are stored as 1 to 255 with 128 for zero, and 0 for no data; probabilities as steps of
1/254, and 255 for none, as in a prediction's store.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.serving.byte_cache import ByteCache
from diapir.surveys.prediction.amplitude import to_grey
from diapir.surveys.prediction.prediction_store import NOTHING

TILE = 256
"""Side of a tile in pixels."""
COLUMNS = 512
"""Columns of a block, which is read at once; a multiple of every reduction."""
LEVELS = 8
"""Number of sizes: full, a half, … down to 1/128."""

Bytes = NDArray[np.uint8]
Layer = Literal["amplitude", "probability"]


def to_bytes(amplitude: NDArray[np.float32], clip: float) -> Bytes:
    """Amplitudes as 1 to 255, and 0 where they are not finite."""
    grey = np.maximum(to_grey(amplitude, clip), 1)
    grey[~np.isfinite(amplitude)] = 0
    return grey


def reduce(values: Bytes, level: int, nothing: int) -> Bytes:
    """The mean over squares of 2^level pixels, without those that hold nothing.

    Args:
        values: `uint8 (rows, columns)`; squares at the right and lower edge may be cut.
        level: 0 for the values themselves.
        nothing: the value that stands for none.
    """
    if level == 0:
        return values
    side = 1 << level
    rows, columns = (-(-size // side) * side for size in values.shape)
    padded = np.full((rows, columns), nothing, np.uint8)
    padded[: values.shape[0], : values.shape[1]] = values
    squares = padded.reshape(rows // side, side, columns // side, side)
    known = squares != nothing
    count = known.sum(axis=(1, 3), dtype=np.uint32)
    total = np.where(known, squares, 0).sum(axis=(1, 3), dtype=np.uint32)
    mean = (total + count // 2) // np.maximum(count, 1)
    return np.where(count > 0, mean, nothing).astype(np.uint8)


def levels_of(rows: int, columns: int) -> int:
    """Number of sizes after which a section fits into one tile; at most `LEVELS`."""
    level = 1
    while level < LEVELS and max(rows, columns) > TILE << (level - 1):
        level += 1
    return level


def tile(
    cache: ByteCache,
    key: tuple[Hashable, ...],
    block: Callable[[int], Bytes],
    shape: tuple[int, int],
    place: tuple[int, int, int],
    layer: Layer,
) -> Bytes | None:
    """A tile of a section.

    Args:
        cache: keeps blocks in every size that was asked for.
        key: of the section and layer.
        block: reads block n of the layer, `uint8 (rows, up to COLUMNS)`.
        shape: rows and columns of the section.
        place: level, row and column of the tile.
        layer: decides which value stands for none.

    Returns:
        `uint8`, at most TILE × TILE; None for a place outside the section.
    """
    level, row, column = place
    if not 0 <= level < LEVELS or row < 0 or column < 0:
        return None
    rows, columns = (-(-size // (1 << level)) for size in shape)
    if row * TILE >= rows or column * TILE >= columns:
        return None
    nothing = 0 if layer == "amplitude" else NOTHING
    width = COLUMNS >> level
    first = column * TILE // width
    last = min(-(-columns // width), -(-(column + 1) * TILE // width))
    down = slice(row * TILE, (row + 1) * TILE)
    parts = []
    for number in range(first, last):
        reduced = cache.of((*key, level, number), partial(_reduced, block, number, level, nothing))
        parts.append(reduced[down])
    start = column * TILE - first * width
    return np.hstack(parts)[:, start : start + TILE]


def _reduced(block: Callable[[int], Bytes], number: int, level: int, nothing: int) -> Bytes:
    return reduce(block(number), level, nothing)
