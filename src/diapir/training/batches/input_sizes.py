"""The size of the network's input for tiles of any size, and what to say about it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from diapir.config import PreprocessConfig, RunConfig
from diapir.text import integer, percent, plural

LARGEST = 256
"""Largest side in pixels that `auto` chooses: larger tiles are trained on in crops."""
MOSTLY = 0.5
"""Share of padding in the input from which it is mostly padding."""

Shapes = NDArray[np.int32]
"""`int32 (N, 2)`: height and width of each tile in pixels."""


def with_size(config: RunConfig, side: int) -> RunConfig:
    """The configuration with a number of pixels in place of `preprocess.size = auto`."""
    preprocess = config.preprocess.model_copy(update={"size": side})
    return config.model_copy(update={"preprocess": preprocess})


def auto_size(shapes: Shapes, divisor: int, config: PreprocessConfig) -> int:
    """The side of the input that `preprocess.size = auto` stands for.

    It is the next size above the longest side of the tiles, at most `LARGEST`. Sizes are in steps
    of an eighth of the power of two above them, or of the divisor where that is more: 112 or 128
    for 101 pixels, 224 for 202. A smaller one is taken where most of the input would be padding, as
    with long, narrow tiles, or where the padding of the smallest tile would be too wide to be
    reflected.

    Args:
        shapes: of the tiles.
        divisor: of the network.
        config: how images are padded.
    """
    top = min(_above(int(shapes.max()), divisor), max(divisor, LARGEST // divisor * divisor))
    sizes = sorted({_above(side, divisor) for side in range(divisor, top + 1)} | {top})
    sizes = [size for size in sizes if size >= 16] or [_above(16, divisor)]
    reflected = 3 * int(shapes.min()) - 2 if config.pad == "reflect" else LARGEST
    fitting = [size for size in sizes if size <= reflected] or sizes[:1]
    full = [size for size in fitting if padded_share(shapes, size) <= MOSTLY]
    return full[-1] if full else min(fitting, key=lambda size: padded_share(shapes, size))


def _above(side: int, divisor: int) -> int:
    """The next size that is not below a side."""
    step = math.lcm(max(1 << (side - 1).bit_length(), 16) // 8, divisor)
    return -(-side // step) * step


def padded_share(shapes: Shapes, side: int) -> float:
    """Share of the input, as a mean over the tiles, that is padding; in [0, 1)."""
    seen = np.minimum(shapes, side).prod(axis=1, dtype=np.int64)
    return 1 - float(seen.mean()) / side**2


def crops_per_epoch(shapes: Shapes, side: int) -> NDArray[np.int64]:
    """Random crops of each tile in an epoch, `(N,)`: as many as cover its area once; 1 for whole.

    Args:
        shapes: of the tiles.
        side: of the input.
    """
    sizes = shapes.astype(np.float64)
    counts = np.rint((sizes / np.minimum(sizes, side)).prod(axis=1)).astype(np.int64)
    least: NDArray[np.int64] = np.maximum(counts, 1)
    return least


def input_notes(shapes: Shapes, divisor: int, config: PreprocessConfig, *, auto: bool) -> list[str]:
    """Lines for the log about crops and padding.

    Args:
        shapes: of the training tiles.
        divisor: of the network.
        config: the input, with its size resolved.
        auto: whether the size was left to `auto`.
    """
    side = config.side
    notes = [f"Input: {side} × {side} pixels (preprocess.size = auto)"] if auto else []
    larger = int((shapes > side).any(axis=1).sum())
    if larger:
        crops = int(crops_per_epoch(shapes, side).sum())
        notes.append(
            f"Crops: {plural(larger, 'training tile')} larger than {side} pixels; an epoch has "
            f"{integer(crops)} images, of these tiles as random crops; validation in overlapping "
            "windows"
        )
    share = padded_share(shapes, side)
    if share > MOSTLY and not auto:
        notes.append(_padding_note(share, side, auto_size(shapes, divisor, config)))
    return notes


def _padding_note(share: float, side: int, better: int) -> str:
    note = f"Warning: {percent(share)} of the network's input is padding"
    if better >= side:
        return f"{note}; larger tiles would make better use of it"
    faster = (side / better) ** 2
    return f"{note}: --set preprocess.size={better} trains about {faster:.1f} times as fast"
