"""TensorBoard: curves of training and validation in one chart each, examples beside their truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.errors import MissingDependencyError
from diapir.inference.overlay import overlay
from diapir.training.tracking.metrics_file import Row

TRAIN_TAGS = {
    "train_loss": "loss/total",
    "train_ce": "loss/cross_entropy",
    "train_dice_loss": "loss/dice",
    "train_soft_dice": "score/soft_dice",
    "lr": "optimizer/learning_rate",
    "grad_norm_mean": "optimizer/gradient_norm_mean",
    "grad_norm_max": "optimizer/gradient_norm_max",
    "skipped_steps": "optimizer/skipped_steps",
    "tiles_per_s": "speed/tiles_per_second",
    "seconds": "speed/seconds_per_epoch",
}
"""Column of metrics.csv → tag of the curve that the folder `train` holds."""

VALIDATION_TAGS = {
    "val_loss": "loss/total",
    "val_ce": "loss/cross_entropy",
    "val_dice_loss": "loss/dice",
    "val_soft_dice": "score/soft_dice",
    "val_dice": "score/dice",
    "val_iou": "score/iou",
    "val_kaggle_map": "score/kaggle_map",
}
"""The same of the folder `validation`; equal tags share a chart."""

GAP = 4
"""Pixels of white between the three panels of an example."""

SMALLEST_PANEL = 200
"""Pixels; smaller tiles are drawn enlarged by a whole factor, each pixel a square."""


class TensorBoardTracker:
    """Event files in `run/tensorboard/{train,validation}`.

    A resumed run writes a further file and purges, by `purge_step`, what the run had drawn
    beyond the epochs it builds on.

    Args:
        run: the run folder.
        config: the run's configuration, shown as text.
        epochs_done: finished epochs that a resumed run builds on.

    Raises:
        MissingDependencyError: TensorBoard is not installed.
    """

    title = "TensorBoard"

    def __init__(self, run: Path, config: RunConfig, *, epochs_done: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingDependencyError("tensorboard", "train") from None
        purge = epochs_done + 1 if epochs_done else None
        folder = run / "tensorboard"
        self._train, self._validation = (
            SummaryWriter(str(folder / part), purge_step=purge) for part in ("train", "validation")
        )
        indented = "\n".join("    " + line for line in config.to_yaml().splitlines())
        self._train.add_text("config", indented, epochs_done)

    def epoch(self, row: Row) -> None:
        """Draw the figures of an epoch."""
        epoch = int(row["epoch"])
        for writer, tags in ((self._train, TRAIN_TAGS), (self._validation, VALIDATION_TAGS)):
            for column, tag in tags.items():
                writer.add_scalar(tag, row[column], epoch)
            writer.flush()

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Draw the example tiles of an epoch, a slider over the epochs for each."""
        for tile, image, mask, probability in zip(ids, images, masks, probabilities, strict=True):
            picture = triptych(image, mask, probability)
            self._validation.add_image(f"examples/{tile}", picture, epoch, dataformats="HWC")
        self._validation.flush()

    def state(self) -> dict[str, Any]:
        """Nothing: the folder of the run is the place."""
        return {}

    def finish(self, best: Path | None) -> None:
        """Close the event files."""
        self._train.close()
        self._validation.close()

    def abandon(self) -> None:
        """Close the event files."""
        self.finish(None)


def triptych(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], probability: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A tile, its truth and the prediction with its errors, side by side.

    Args:
        image: uint8 (H, W), grey.
        mask: uint8 (H, W) of {0, 1, 255 ignore}.
        probability: float32 (H, W) of salt, in [0, 1].

    Returns:
        uint8 (scale·H, 3·scale·W + 2·`GAP`, 3), RGB.
    """
    scale = -(-SMALLEST_PANEL // max(image.shape)) if max(image.shape) < SMALLEST_PANEL else 1
    prediction = (probability > 0.5).astype(np.uint8)
    panels = [
        np.repeat(image[..., None], 3, axis=2),
        overlay(image, (mask == 1).astype(np.uint8)),
        overlay(image, prediction, mask),
    ]
    panels = [panel.repeat(scale, axis=0).repeat(scale, axis=1) for panel in panels]
    gap = np.full((panels[0].shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)
