"""TensorBoard: training and validation curves in common charts, and example predictions."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.errors import MissingDependencyError
from diapir.inference.overlay import overlay
from diapir.training.epoch_metrics import METRICS, Row

PANELS = "tile, ground truth, prediction"
"""Group of the examples: what their panels show, as images in TensorBoard have no captions."""

GAP = 4
"""White pixels between the three panels of an example."""

SMALLEST_PANEL = 200
"""Size in pixels below which tiles are enlarged by a whole factor, without interpolation."""


class TensorBoardTracker:
    """Event files in `run/tensorboard/{train,validation}`.

    A resumed run writes a further file and purges, by `purge_step`, the epochs after those that it
    resumes from.

    Args:
        run: the run folder.
        config: the run's configuration, shown as text.
        epochs_done: finished epochs that a resumed run starts from.

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
        self.place = f"TensorBoard: look with: tensorboard --logdir {shlex.quote(str(folder))}"
        self._train.add_text("config", indented, epochs_done)

    def epoch(self, row: Row) -> None:
        """Draw the metrics of an epoch."""
        epoch = int(row["epoch"])
        for metric in METRICS:
            if metric.chart:
                # equal tags in the two folders share a chart
                writer = self._validation if metric.of_validation else self._train
                writer.add_scalar(metric.chart, row[metric.name], epoch)
        self._train.flush()
        self._validation.flush()

    def examples(
        self,
        epoch: int,
        ids: Sequence[str],
        images: NDArray[np.uint8],
        masks: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Draw the example tiles of an epoch; TensorBoard has a slider over the epochs for each."""
        for tile, image, mask, probability in zip(ids, images, masks, probabilities, strict=True):
            picture = triptych(image, mask, probability)
            self._validation.add_image(f"{PANELS}/{tile}", picture, epoch, dataformats="HWC")
        self._validation.flush()

    def state(self) -> dict[str, Any]:
        """Nothing: the run folder says where to resume."""
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
    """A tile, its ground truth and the prediction with its errors, side by side.

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
