"""Validation after an epoch, and prediction of the example tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from diapir.config import RunConfig
from diapir.evaluation.metrics import Tally, kaggle_ap
from diapir.preprocess import crop
from diapir.tiles import TileSet
from diapir.training.batches.tile_batches import consecutive_batches, load_batch
from diapir.training.device import Device
from diapir.training.from_python.parts import LossFunction, with_loss
from diapir.training.losses import segmentation_loss

BATCH = 8
"""Tiles per validation batch: the metric `soft_dice` is defined over batches of 8."""


@dataclass(frozen=True)
class Validation:
    """Means of `loss`, `ce` and `soft_dice` over batches of 8 tiles in id order.

    `loss` has the final weights of the recipe. `dice` and `iou` are pooled over the valid pixels of
    all tiles at threshold 0.5; `kaggle_map` is the mean score of the tiles at this threshold, nan
    where no tile has a valid pixel.
    """

    loss: float
    ce: float
    soft_dice: float
    dice: float
    iou: float
    kaggle_map: float

    @property
    def dice_loss(self) -> float:
        """1 − soft Dice."""
        return 1 - self.soft_dice


@torch.inference_mode()
def validate(
    network: nn.Module,
    tiles: TileSet,
    config: RunConfig,
    device: Device,
    on_batch: Callable[[int, int], None],
    loss: LossFunction | None = None,
) -> Validation:
    """Evaluate tiles; the processes share the batches, and each tile counts once.

    Args:
        network: the network, not wrapped for several processes.
        tiles: the validation part, in id order.
        config: the run.
        device: where the network is.
        on_batch: called with the number of batches done and their total; may raise to stop.
        loss: instead of the recipe's; None for the recipe's.
    """
    network.eval()
    batches = consecutive_batches(np.arange(len(tiles)), BATCH)
    # each process fills in its own batches; the sum over processes has all
    scores = torch.zeros(len(batches), 3, dtype=torch.float64)
    counts = torch.zeros(len(tiles), 4, dtype=torch.float64)
    for start in range(0, len(batches), device.world):
        number = start + device.rank
        if number < len(batches):
            images, masks = load_batch(tiles, batches[number], config.preprocess)
            logits = network(device.images(images)).float().cpu()
            terms = segmentation_loss(logits, masks.long(), config.loss)
            scores[number] = torch.stack(with_loss(terms, loss, logits, masks.long()))
            predicted, salt = logits[:, 1] >= logits[:, 0], masks == 1
            background = masks == 0
            counted = (predicted & salt, predicted & background, ~predicted & salt)
            rest = ~predicted & background
            counts[batches[number]] = torch.stack(
                [pixels.sum(dim=(1, 2)) for pixels in (*counted, rest)], dim=1
            ).double()
        on_batch(min(start + device.world, len(batches)), len(batches))
    gathered = device.total(torch.cat([scores.flatten(), counts.flatten()]))
    mean_loss, ce, soft_dice = gathered[: scores.numel()].reshape(-1, 3).mean(dim=0).tolist()
    by_tile = gathered[scores.numel() :].reshape(-1, 4)
    tp, fp, fn, _ = by_tile.sum(dim=0).tolist()
    scored = by_tile[by_tile.any(dim=1)].numpy()
    return Validation(
        loss=mean_loss,
        ce=ce,
        soft_dice=soft_dice,
        dice=2 * tp / max(2 * tp + fp + fn, 1),
        iou=tp / max(tp + fp + fn, 1),
        kaggle_map=float(kaggle_ap(Tally(*scored.T)).mean()) if len(scored) else math.nan,
    )


@torch.inference_mode()
def predict(
    network: nn.Module, tiles: TileSet, config: RunConfig, device: Device
) -> NDArray[np.float32]:
    """Salt probabilities `float32 (n, H, W)` of tiles of one size `(H, W)`."""
    network.eval()
    images, _ = load_batch(tiles, np.arange(len(tiles)), config.preprocess)
    probabilities = network(device.images(images)).float().softmax(dim=1)[:, 1].cpu().numpy()
    height, width = tiles.shapes[0]
    return crop(probabilities, int(height), int(width))
