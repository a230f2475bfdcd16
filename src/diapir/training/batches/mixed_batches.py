"""Batches of tiles and windows of sections, augmented alike and padded to one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from diapir.config import PreprocessConfig
from diapir.tiles import TileSet
from diapir.training.batches.augment import Augmentation, normalised, sample, without_geometry
from diapir.training.batches.labelled_sections import unaliased
from diapir.training.batches.survey_augment import SurveyAugmentation, augment_grey, rescaled
from diapir.training.batches.tile_crops import Floats, Indices, crop_groups
from diapir.training.batches.windows import Windows


@dataclass(frozen=True)
class BatchAugmentation:
    """The augmentation of each of the n images of a batch.

    Attributes:
        tile: flip, grey values, geometry.
        survey: augmentation across surveys; None for none.
    """

    tile: Augmentation
    survey: SurveyAugmentation | None

    def take(self, rows: slice | Indices) -> BatchAugmentation:
        """The augmentation of some of the images."""
        return BatchAugmentation(
            self.tile.take(rows), self.survey.take(rows) if self.survey else None
        )

    @property
    def geometry(self) -> Augmentation:
        """The augmentation with the survey's scales."""
        return rescaled(self.tile, self.survey) if self.survey else self.tile


@dataclass(frozen=True)
class Frame:
    """The sizes of the images of a step.

    Attributes:
        window: side of the windows in pixels.
        canvas: side that windows and tiles are padded to.
        size: side of the network's input, which covers the canvas.
    """

    window: int
    canvas: int
    size: int


def frame(window: int, config: PreprocessConfig, size: int, divisor: int) -> Frame:
    """The sizes of a step with windows of a given size.

    Args:
        window: side of the windows in pixels; 0 for a step without windows.
        config: `config.size` is the smallest canvas.
        size: side of an input that covers `config.size` pixels; smaller in progressive resizing.
        divisor: the side of the input is a multiple of it.
    """
    canvas = max(config.side, -(-window // divisor) * divisor)
    side = -(-canvas * size // (config.side * divisor)) * divisor
    return Frame(window, canvas, side)


def load_mixed_batch(
    tiles: TileSet,
    windows: Windows | None,
    indices: Indices,
    augmentation: BatchAugmentation,
    config: PreprocessConfig,
    *,
    frame: Frame,
    seed: Sequence[int],
    device: torch.device,
    places: Floats | None = None,
) -> tuple[Tensor, Tensor]:
    """Augmented images `float32 (n, 3, size, size)` and masks `int64 (n, size, size)`.

    Args:
        tiles: the training tiles.
        windows: the windows, which have the indices from `len(tiles)` on.
        indices: `(n,)`: which images of the epoch.
        augmentation: the augmentation of these n images.
        config: how an image becomes the network's input.
        frame: the sizes of the images.
        seed: the numbers that the positions of windows depend on.
        device: where to compute.
        places: `(n, 2)`: where larger tiles are cropped, see `draw_places`.
    """
    padded = config.model_copy(update={"size": frame.canvas})
    alone = indices < len(tiles)
    order, parts = [], []
    whole = np.flatnonzero(alone)
    for group in crop_groups(
        tiles,
        indices[whole],
        frame.canvas,
        places=None if places is None else places[whole],
        augmentation=augmentation.take(whole).geometry,
    ):
        rows = whole[group.rows]
        geometry = augmentation.take(rows).geometry
        seen = _unaliased(torch.from_numpy(group.images).to(device), geometry)
        kept = torch.from_numpy(group.masks).to(device)
        parts.append(sample(seen, kept, geometry, padded, frame.size, group.offset))
        order.append(rows)
    rows = np.flatnonzero(~alone)
    if len(rows) and windows is not None:
        geometry = augmentation.take(rows).geometry
        numbers = (indices[rows] - len(tiles)).tolist()
        cut = windows.cut(numbers, frame.window, geometry.matrix, seed)
        seen, kept = (torch.from_numpy(each).to(device) for each in cut)
        parts.append(sample(seen, kept, without_geometry(geometry), padded, frame.size))
        order.append(rows)
    back = torch.from_numpy(np.argsort(np.concatenate(order))).to(device)
    grey, labels = (torch.cat(each)[back] for each in zip(*parts, strict=True))
    if augmentation.survey:
        grey, labels = augment_grey(grey, labels, augmentation.survey)
    return normalised(grey, config), labels


def _unaliased(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Average the images that are shrunk so far that sampling would skip pixels."""
    steps = np.hypot(augmentation.matrix[:, :, 0], augmentation.matrix[:, :, 1])
    rows = np.flatnonzero((steps >= 1.5).any(axis=1))
    if not len(rows):
        return images
    images = images.float()
    for row in rows.tolist():
        images[row] = unaliased(images[None, None, row], augmentation.matrix[row])[0, 0]
    return images
