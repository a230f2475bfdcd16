"""Validation after an epoch, and prediction of the example tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from diapir.config import RunConfig
from diapir.evaluation.metrics import Tally, kaggle_ap
from diapir.inference import Predictor
from diapir.preprocess import crop
from diapir.tiles import TileSet
from diapir.training.batches.tile_batches import consecutive_batches, load_batch
from diapir.training.batches.tile_crops import Indices
from diapir.training.device import Device
from diapir.training.from_python.parts import LossFunction, loss_sums, with_loss
from diapir.training.in_windows import as_logits, window_predictor
from diapir.training.loss.losses import Sums, loss_terms, segmentation_sums

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
    shown: dict[str, Any] | None = None,
    loss: LossFunction | None = None,
) -> Validation:
    """Evaluate tiles; the processes share the batches, and each tile counts once.

    Tiles larger than the network's input are predicted in overlapping windows, as the saved model
    predicts them.

    Args:
        network: the network, not wrapped for several processes.
        tiles: the validation part, in id order.
        config: the run.
        device: where the network is.
        on_batch: called with the number of batches done and their total; may raise to stop.
        shown: how images become the network's input in the bundle, see
            `save_bundle.shown_to_network`; None takes these tiles for those trained on.
        loss: instead of the recipe's; None for the recipe's.
    """
    network.eval()
    batches = consecutive_batches(np.arange(len(tiles)), BATCH)
    predictor = window_predictor(network, device, shown or _shown(config, tiles))
    # each process fills in its own batches; the sum over processes has all
    scores = torch.zeros(len(batches), 3, dtype=torch.float64)
    counts = torch.zeros(len(tiles), 4, dtype=torch.float64)
    for start in range(0, len(batches), device.world):
        number = start + device.rank
        if number < len(batches):
            sums: Sums = {}
            for indices, logits, masks in _predicted(
                network, predictor, tiles, batches[number], device
            ):
                more = segmentation_sums(logits, masks, config.loss)
                if loss is not None:
                    more |= loss_sums(loss, logits, masks)
                sums = {name: sums[name] + more[name] for name in sums} if sums else more
                counts[indices] = _counts(logits, masks)
            scores[number] = torch.stack(with_loss(loss_terms(sums, config.loss), sums))
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


def _predicted(
    network: nn.Module, predictor: Predictor, tiles: TileSet, batch: Indices, device: Device
) -> Iterator[tuple[Indices, Tensor, Tensor]]:
    """Indices, logits `float32 (n, 2, H, W)` and masks `int64 (n, H, W)` of a batch, in parts.

    Tiles that fit the network's input are one part, and each larger one is another.
    """
    config = predictor.bundle.info.preprocess
    larger = (tiles.shapes[batch] > config.side).any(axis=1)
    whole = batch[~larger]
    if len(whole):
        images, masks = load_batch(tiles, whole, config)
        yield whole, network(device.images(images)).float().cpu(), masks.long()
    for index in batch[larger].tolist():
        (probability,) = predictor.probabilities([tiles.image(index)])
        mask = torch.from_numpy(tiles.mask(index).astype(np.int64))[None]
        yield np.array([index]), as_logits(probability), mask


def _counts(logits: Tensor, masks: Tensor) -> Tensor:
    """True positives, false positives, missed salt and the rest of each tile: `float64 (n, 4)`."""
    predicted, salt = logits[:, 1] >= logits[:, 0], masks == 1
    background = masks == 0
    counted = (predicted & salt, predicted & background, ~predicted & salt)
    rest = ~predicted & background
    return torch.stack([pixels.sum(dim=(1, 2)) for pixels in (*counted, rest)], dim=1).double()


def _shown(config: RunConfig, tiles: TileSet) -> dict[str, Any]:
    largest = int(tiles.shapes.max())
    return {
        "name": config.name,
        "model": config.model,
        "preprocess": config.preprocess,
        "tile": largest,
    }


@torch.inference_mode()
def predict(
    network: nn.Module,
    tiles: TileSet,
    config: RunConfig,
    device: Device,
    shown: dict[str, Any] | None = None,
) -> NDArray[np.float32]:
    """Salt probabilities `float32 (n, H, W)` of tiles of one size `(H, W)`."""
    network.eval()
    height, width = (int(side) for side in tiles.shapes[0])
    if max(height, width) > config.preprocess.side:
        predictor = window_predictor(network, device, shown or _shown(config, tiles))
        whole = [tiles.image(index) for index in range(len(tiles))]
        return np.stack(predictor.probabilities(whole))
    images, _ = load_batch(tiles, np.arange(len(tiles)), config.preprocess)
    probabilities = network(device.images(images)).float().softmax(dim=1)[:, 1].cpu().numpy()
    return crop(probabilities, height, width)
