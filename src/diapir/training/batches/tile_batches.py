"""From cached tiles to the tensors of a step. The order depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diapir.config import PreprocessConfig, RunConfig
from diapir.preprocess import pad_masks, to_input
from diapir.tiles import TileSet
from diapir.training.batches.augment import Augmentation, augment

Indices = NDArray[np.int64]


def epoch_batches(
    tiles: int, batch: int, *, seed: int, epoch: int, processes: int
) -> list[Indices]:
    """The shuffled batches of an epoch, the same in every process.

    The last batch may be smaller; with fewer tiles than processes it is dropped, because every
    process must take part in a step.
    """
    order = np.random.default_rng([seed, epoch]).permutation(tiles)
    batches = consecutive_batches(order, batch)
    return [indices for indices in batches if len(indices) >= processes]


def consecutive_batches(order: Sequence[int] | Indices, batch: int) -> list[Indices]:
    """`order` divided into batches."""
    indices = np.asarray(order, dtype=np.int64)
    return [indices[start : start + batch] for start in range(0, len(indices), batch)]


def shard(indices: Indices, rank: int, processes: int) -> Indices:
    """The tiles of a batch that one process takes; the shares differ by one tile at most."""
    return np.array_split(indices, processes)[rank]


def input_size(config: RunConfig, done: float) -> int:
    """Side of the input in pixels after a share `done` of the run's steps."""
    smaller = (size for until, size in config.train.progressive if done < until)
    return next(smaller, config.preprocess.size)


def load_batch(tiles: TileSet, indices: Indices, config: PreprocessConfig) -> tuple[Tensor, Tensor]:
    """Images `float32 (n, 3, size, size)` and masks `uint8 (n, size, size)` of some tiles."""
    if _of_one_size(tiles, indices):
        image_stack, mask_stack = tiles.stack(indices)
        images, masks = to_input(image_stack, config), pad_masks(mask_stack, config)
    else:  # sizes differ: pad one by one
        images = np.concatenate([to_input(tiles.image(i)[None], config) for i in indices])
        masks = np.concatenate([pad_masks(tiles.mask(i)[None], config) for i in indices])
    return torch.from_numpy(images), torch.from_numpy(masks)


def load_augmented_batch(
    tiles: TileSet,
    indices: Indices,
    augmentation: Augmentation,
    config: PreprocessConfig,
    *,
    size: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Augmented images `float32 (n, 3, size, size)`, masks `int64 (n, size, size)`, on a device.

    Args:
        tiles: the tiles, which are moved to the device as bytes.
        indices: `(n,)`: which of them.
        augmentation: the augmentation of these n tiles.
        config: how a tile becomes the network's input.
        size: side of the images, which cover the same area as `config.size` pixels.
        device: where to compute.
    """
    one_size = _of_one_size(tiles, indices)
    rows = [slice(None)] if one_size else [slice(row, row + 1) for row in range(len(indices))]
    parts = []
    for row in rows:
        images, masks = (
            torch.from_numpy(stack).to(device, non_blocking=True)
            for stack in tiles.stack(indices[row])
        )
        parts.append(augment(images, masks, augmentation.take(row), config, size))
    if one_size:
        return parts[0]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _of_one_size(tiles: TileSet, indices: Indices) -> bool:
    return len(np.unique(tiles.shapes[indices], axis=0)) == 1
