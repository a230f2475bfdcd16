"""The tiles and windows of a run: which it trains on, validates on, and draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diapir.config import RunConfig
from diapir.preprocess import padding
from diapir.tiles import Split, TileSet
from diapir.tiles.splitting import split_note
from diapir.training.batches.windows import Windows, open_windows, training_hash
from diapir.training.selection import choose_examples, settle_split, training_tiles


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
        notes: lines for the log.
    """

    labelled: TileSet
    split: Split
    training: TileSet
    windows: Windows | None
    validation: TileSet
    examples: TileSet
    notes: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Identifies what the run trains on, which may not change when it is resumed."""
        return training_hash(self.training, self.windows)

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
            ConfigError: tiles that are larger than the network's input.
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
            padding(height, width, config.preprocess)
        windows = open_windows(config.data, training, config.preprocess.size)
        if windows:
            notes.append(windows.describe())
        validation = labelled.select(sorted(split.part("val")))
        examples = choose_examples(validation, config.track.examples)
        return cls(labelled, split, training, windows, validation, examples, tuple(notes))
