"""The tiles and windows of a run: which it trains on, validates on, and draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.inference.sections.wavelet import NOISE, first_zero
from diapir.preprocess import padding
from diapir.tiles import Split, TileSet
from diapir.tiles.splitting import split_note
from diapir.training.batches.input_sizes import crops_per_epoch
from diapir.training.batches.tile_crops import Indices
from diapir.training.batches.windows import Windows, open_windows, training_hash
from diapir.training.selection import choose_examples, settle_split, training_tiles

_MEASURED = 64
"""Training tiles whose wavelet length is measured at most."""


@dataclass(frozen=True)
class RunTiles:
    """The tiles of a run by what they are for.

    Attributes:
        labelled: all labelled tiles of the data set.
        split: of these.
        training: the training part, and the tiles that the recipe adds to it.
        windows: windows of sections that are trained on as well; None for none.
        validation: the validation part, in id order.
        examples: tiles of the validation part that trackers draw.
        crops: `(n,)`: images of each training tile in an epoch, see `crops_per_epoch`.
        notes: lines for the log.
    """

    labelled: TileSet
    split: Split
    training: TileSet
    windows: Windows | None
    validation: TileSet
    examples: TileSet
    crops: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Identifies what the run trains on, which may not change when it is resumed."""
        return training_hash(self.training, self.windows)

    @cached_property
    def _owners(self) -> NDArray[np.int64]:
        """The training tile of each image of an epoch."""
        return np.repeat(np.arange(len(self.training)), self.crops)

    @property
    def images(self) -> int:
        """Training tiles in an epoch, larger ones as several crops; windows not counted."""
        return len(self._owners)

    def indices(self, batch: Indices) -> Indices:
        """The training tiles of the images of a batch; windows are numbered after the tiles."""
        owners = self._owners[np.minimum(batch, self.images - 1)]
        return np.where(batch < self.images, owners, batch - self.images + len(self.training))

    @cached_property
    def first_zero(self) -> float | None:
        """Wavelet length that is trained on, in samples; None where it cannot be told.

        It is the median first zero of the training tiles' vertical autocorrelation.
        """
        count = len(self.training)
        chosen = np.unique(np.linspace(0, count - 1, min(count, _MEASURED)).round().astype(int))
        found = np.array([first_zero(self.training.image(i).T) for i in chosen.tolist()])
        found = found[found >= NOISE]
        return float(np.median(found)) if len(found) else None

    @classmethod
    def choose(cls, config: RunConfig, labelled: TileSet, saved: Path) -> RunTiles:
        """Split the tiles as the recipe says, or as the run has done before.

        Args:
            config: the run.
            labelled: all labelled tiles.
            saved: the run's split.json, which need not exist.

        Raises:
            SplitError: a split that cannot be used or does not fit the tiles.
            DataError: further tiles or sections that cannot be used.
            DataError: tiles that are too small to be padded as the recipe says.
        """
        split = settle_split(config.data, labelled, saved)
        training, notes = training_tiles(config.data, labelled, split)
        notes = [*(f"Note: {note}" for note in labelled.notes), *notes]
        if labelled.held_out:
            own = config.data.split is None and config.data.folds is None
            counts = len(split.part("train")), len(split.part("val"))
            notes.append(
                f"Note: {split_note(*counts)}"
                if own
                else "Note: the set's own folder val is not "
                "kept apart: data.split or data.folds divides all tiles"
            )
        shapes = np.concatenate([labelled.shapes, training.shapes])
        for height, width in np.unique(shapes, axis=0).tolist():
            side = config.preprocess.side
            padding(min(height, side), min(width, side), config.preprocess)
        crops = crops_per_epoch(training.shapes, config.preprocess.side)
        images = int(crops.sum())
        windows = open_windows(config.data, training, config.preprocess.side, images)
        if windows:
            notes.append(windows.describe())
        validation = labelled.select(sorted(split.part("val")))
        examples = choose_examples(validation, config.track.examples)
        return cls(labelled, split, training, windows, validation, examples, crops, tuple(notes))
