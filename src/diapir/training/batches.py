"""From cached tiles to a step's tensors. The order follows from seed and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diapir.config import PreprocessConfig
from diapir.preprocess import pad_masks, to_input
from diapir.tiles import TileSet

Indices = NDArray[np.int64]


def epoch_batches(
    tiles: int, batch: int, *, seed: int, epoch: int, processes: int
) -> list[Indices]:
    """The shuffled batches of an epoch; every process computes the same.

    The last batch may be smaller; one with fewer tiles than processes is left out, because each
    process must take part in a step.
    """
    order = np.random.default_rng([seed, epoch]).permutation(tiles)
    batches = consecutive_batches(order, batch)
    return [indices for indices in batches if len(indices) >= processes]


def consecutive_batches(order: Sequence[int] | Indices, batch: int) -> list[Indices]:
    """`order` cut into batches."""
    indices = np.asarray(order, dtype=np.int64)
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]


def shard(indices: Indices, rank: int, processes: int) -> Indices:
    """The tiles of a batch that belong to one process; sizes differ by one at most."""
    return np.array_split(indices, processes)[rank]


def load_batch(tiles: TileSet, indices: Indices, config: PreprocessConfig) -> tuple[Tensor, Tensor]:
    """Images `float32 (n, 3, size, size)` and masks `int64 (n, size, size)` of some tiles."""
    if len(np.unique(tiles.shapes[indices], axis=0)) == 1:
        image_stack, mask_stack = tiles.stack(indices)
        images, masks = to_input(image_stack, config), pad_masks(mask_stack, config)
    else:  # sizes differ: pad one by one
        images = np.concatenate([to_input(tiles.image(i)[None], config) for i in indices])
        masks = np.concatenate([pad_masks(tiles.mask(i)[None], config) for i in indices])
    return torch.from_numpy(images), torch.from_numpy(masks.astype(np.int64))
