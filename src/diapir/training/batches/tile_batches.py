"""From cached tiles to the tensors of a step. The order depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from diapir.config import PreprocessConfig, RunConfig
from diapir.preprocess import pad_masks, to_input
from diapir.tiles import TileSet
from diapir.training.batches.augment import Augmentation, augment
from diapir.training.batches.tile_crops import Floats, Indices, crop_groups


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
    return next(smaller, config.preprocess.side)


def load_batch(
    tiles: TileSet, indices: Indices, config: PreprocessConfig, places: Floats | None = None
) -> tuple[Tensor, Tensor]:
    """Images `float32 (n, 3, size, size)` and masks `uint8 (n, size, size)` of some tiles.

    Args:
        tiles: the tiles.
        indices: `(n,)`: which of them.
        config: how a tile becomes the network's input.
        places: `(n, 2)`: where larger tiles are cropped, see `draw_places`.
    """
    parts = [
        (group.rows, to_input(group.images, config), pad_masks(group.masks, config))
        for group in crop_groups(tiles, indices, config.side, places=places)
    ]
    if len(parts) == 1:
        _, images, masks = parts[0]
    else:
        back = np.argsort(np.concatenate([rows for rows, *_ in parts]))
        images = np.concatenate([images for _, images, _ in parts])[back]
        masks = np.concatenate([masks for *_, masks in parts])[back]
    return torch.from_numpy(images), torch.from_numpy(masks)


def load_augmented_batch(
    tiles: TileSet,
    indices: Indices,
    augmentation: Augmentation,
    config: PreprocessConfig,
    *,
    size: int,
    device: torch.device,
    places: Floats | None = None,
) -> tuple[Tensor, Tensor]:
    """Augmented images `float32 (n, 3, size, size)`, masks `int64 (n, size, size)`, on a device.

    Args:
        tiles: the tiles, which are moved to the device as bytes.
        indices: `(n,)`: which of them.
        augmentation: the augmentation of these n tiles.
        config: how a tile becomes the network's input.
        size: side of the images, which cover the same area as `config.size` pixels.
        device: where to compute.
        places: `(n, 2)`: where larger tiles are cropped, see `draw_places`.
    """
    order, parts = [], []
    for group in crop_groups(tiles, indices, config.side, places=places, augmentation=augmentation):
        images, masks = (
            torch.from_numpy(stack).to(device, non_blocking=True)
            for stack in (group.images, group.masks)
        )
        mine = augmentation.take(group.rows)
        parts.append(augment(images, masks, mine, config, size, group.offset))
        order.append(group.rows)
    if len(parts) == 1:
        return parts[0]
    back = torch.from_numpy(np.argsort(np.concatenate(order))).to(device)
    return torch.cat([part[0] for part in parts])[back], torch.cat([part[1] for part in parts])[
        back
    ]
