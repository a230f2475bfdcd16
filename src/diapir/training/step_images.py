"""The images of optimiser steps, loaded beside the steps before them where a GPU computes these."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diapir.config import AugmentConfig, RunConfig
from diapir.tiles import TileSet
from diapir.training.batches.augment import alternate_flips, draw
from diapir.training.batches.mixed_batches import (
    BatchAugmentation,
    Frame,
    frame,
    load_mixed_batch,
)
from diapir.training.batches.survey_augment import draw_survey, spans_surveys
from diapir.training.batches.tile_batches import (
    input_size,
    load_augmented_batch,
    load_batch,
    shard,
)
from diapir.training.batches.tile_crops import Indices, draw_places
from diapir.training.batches.windows import Windows, names
from diapir.training.cursor import Cursor
from diapir.training.device import Device

AHEAD = 4
"""Steps whose images are loaded ahead on a GPU, each by a thread of its own."""

Images = list[tuple[Tensor, Tensor]]
"""Images `float32 (n, 3, size, size)` and masks of each part of a step."""


class Place(NamedTuple):
    """What all random draws of a step depend on, besides the seed of the run."""

    epoch: int
    step: int
    rollbacks: int

    @classmethod
    def of(cls, cursor: Cursor) -> Place:
        """The place of the step that comes next."""
        return cls(cursor.epoch, cursor.step, cursor.rollbacks)

    def seed(self, run: int) -> tuple[int, int, int]:
        """The numbers that the random draws of the step depend on, in all processes."""
        return run, self.step, self.rollbacks

    def done(self, steps: int) -> float:
        """Completed share of a run of so many steps, in [0, 1]."""
        return min(self.step / steps, 1.0)


class StepImages:
    """Loads the images of steps, augmented as the recipe says.

    Args:
        config: the run.
        device: where it computes.
        windows: windows of sections that are trained on as well; None for none.
        divisor: the side of the network's input is a multiple of it.
        steps: optimiser steps of the whole run, over which progressive resizing is defined.
        ahead: steps that are loaded ahead, each by a thread of its own; 0 for none.
    """

    def __init__(
        self,
        config: RunConfig,
        device: Device,
        windows: Windows | None,
        *,
        divisor: int,
        steps: int,
        ahead: int,
    ) -> None:
        self._config = config
        self._device = device
        self._windows = windows
        self._divisor = divisor
        self._steps = steps
        self._threads: ThreadPoolExecutor | None = None
        if ahead:
            # a thread that shares out its own operations would take the cores of the others
            self._threads = ThreadPoolExecutor(
                ahead, initializer=torch.set_num_threads, initargs=(1,)
            )
        self._loading: dict[Place, tuple[Indices, Future[Images]]] = {}

    def take(
        self, tiles: TileSet, batch: Indices, place: Place, following: Sequence[Indices] = ()
    ) -> Images:
        """The images of a step that this process takes, in parts of a batch each.

        Args:
            tiles: the training tiles.
            batch: the images of the step, of all processes.
            place: of the step.
            following: the images of the steps after it, which are loaded ahead.
        """
        loading = self._loading.pop(place, None)
        if self._threads:
            ahead = {
                place._replace(step=place.step + number): each
                for number, each in enumerate(following, start=1)
            }
            # after a rollback these are other steps
            self._loading = {key: each for key, each in self._loading.items() if key in ahead}
            for key, each in ahead.items():
                if key not in self._loading:
                    future = self._threads.submit(self._load, tiles, each, key)
                    self._loading[key] = each, future
        if loading is not None and np.array_equal(loading[0], batch):
            return loading[1].result()
        return self._load(tiles, batch, place)

    def _load(self, tiles: TileSet, batch: Indices, place: Place) -> Images:
        return [self._part(tiles, batch, rows, place) for rows in self._parts(len(batch))]

    def _parts(self, count: int) -> list[Indices]:
        """The images of a step that this process takes, in parts of a batch each."""
        world = self._device.world
        parts = min(-(-count // self._config.train.batch), max(count // world, 1))
        return [
            shard(rows, self._device.rank, world)
            for rows in np.array_split(np.arange(count), parts)
        ]

    def _part(
        self, tiles: TileSet, batch: Indices, rows: Indices, place: Place
    ) -> tuple[Tensor, Tensor]:
        """Some images and masks of a step."""
        config, device = self._config, self._device
        seed = place.seed(config.seed)
        mine = batch[rows]
        size = input_size(config, place.done(self._steps))
        places = None
        if (tiles.shapes > config.preprocess.side).any():
            places = draw_places(len(batch), seed)[rows]
        mixed = self._windows is not None or spans_surveys(config.augment)
        if not mixed and config.augment == AugmentConfig() and size == config.preprocess.side:
            return load_batch(tiles, mine, config.preprocess, places)
        augmentation = self._draw(tiles, batch, seed, place.epoch).take(rows)
        if mixed:
            return load_mixed_batch(
                tiles,
                self._windows,
                mine,
                augmentation,
                config.preprocess,
                frame=self._frame(tiles, batch, size, seed),
                seed=seed,
                device=device.drawing_device,
                places=places,
            )
        return load_augmented_batch(
            tiles,
            mine,
            augmentation.tile,
            config.preprocess,
            size=size,
            device=device.drawing_device,
            places=places,
        )

    def _draw(
        self, tiles: TileSet, batch: Indices, seed: Sequence[int], epoch: int
    ) -> BatchAugmentation:
        """The augmentation of all images of a step."""
        augment, count = self._config.augment, len(batch)
        flips = None
        if augment.flip == "alternate":
            flips = alternate_flips(names(tiles.ids, batch), seed=self._config.seed, epoch=epoch)
        return BatchAugmentation(
            draw(augment, count, seed=seed, flip=flips),
            draw_survey(augment, count, seed) if spans_surveys(augment) else None,
        )

    def _frame(self, tiles: TileSet, batch: Indices, size: int, seed: Sequence[int]) -> Frame:
        """The sizes of a step's images; all processes have the same."""
        windows = batch >= len(tiles)
        side = 0
        if self._windows and windows.any():
            side = self._windows.size(seed, alone=bool(windows.all()))
        return frame(side, self._config.preprocess, size, self._divisor)
