"""A network in training: its optimiser, its schedule, and the position of the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diapir.config import AugmentConfig, RunConfig
from diapir.errors import ConfigError
from diapir.models import Network, build, check_size, parameter_count
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
    Indices,
    input_size,
    load_augmented_batch,
    load_batch,
    shard,
)
from diapir.training.batches.windows import Windows, names
from diapir.training.cursor import Cursor, StepTerms
from diapir.training.device import Device
from diapir.training.ema import AveragedNetwork
from diapir.training.encoder import freeze
from diapir.training.losses import auxiliary_loss, segmentation_loss
from diapir.training.optimizer import make_optimizer
from diapir.training.saved_state import restore_optimizer
from diapir.training.schedule import make_schedule
from diapir.training.start import start_from


class Session:
    """A network in training.

    Args:
        config: the run.
        device: where it computes.
        pretrained: load pretrained weights into the encoder as `model.weights` says, or those that
            `train.start` names; a resumed run has its weights already.
        steps: optimiser steps of the whole run, over which schedules and ramps are defined.
        windows: windows of sections that are trained on as well; None for none.

    Attributes:
        cursor: position of the run.
        schedule: sets the learning rates.
        started: a line for the log about the weights that the training starts from; "" for none.
    """

    def __init__(
        self,
        config: RunConfig,
        device: Device,
        *,
        pretrained: bool = True,
        steps: int = 1,
        windows: Windows | None = None,
    ) -> None:
        self._config = config
        self._windows = windows
        self._device = device
        torch.manual_seed(config.seed)
        self._steps = steps
        start = config.train.start if pretrained else None
        network = build(config.model, pretrained=pretrained and start is None)
        self.started = "" if start is None else start_from(network, Path(start), config.preprocess)
        check_size(network, config.preprocess.size)
        _check_sizes(network, config.train.progressive)
        self._frozen = freeze(network, getattr(config.model, "freeze", 0))
        if device.channels_last:
            network.to(memory_format=torch.channels_last)
        self._network = network.to(device.torch_device)
        decay = config.train.ema
        self._average = None if decay is None else AveragedNetwork(network, decay)
        optimizer = make_optimizer(network, config.optimizer, device.torch_device)
        self.schedule = make_schedule(config.schedule, optimizer, steps)
        # the model in training may be wrapped for several processes, compilation or precision
        self._model, self._optimizer = device.accelerator.prepare(network, optimizer)
        self.cursor: Cursor = Cursor()

    def step(self, tiles: TileSet, batch: Indices) -> StepTerms | None:
        """Do one optimiser step on a batch that all processes share.

        Returns:
            What it measured; None where loss or gradient was not finite and the step was skipped.
        """
        config, device = self._config, self._device
        # all random draws of a step depend on these alone, so that resuming is exact
        torch.manual_seed(_step_seed(*self._seed, device.rank))
        self.schedule.before_step(self.cursor.step)
        self._model.train()
        for part in self._frozen:
            part.eval()  # batch norms of frozen stages keep their statistics
        images, masks = self._load(tiles, batch)
        images = device.images(images)
        masks = masks.to(device.torch_device, non_blocking=True).long()
        # several processes wait for a gradient of every weight, even if it is 0
        wants_more = bool(config.loss.empty or config.loss.deep) or device.world > 1
        outputs = self._model(images, auxiliary=True) if wants_more else self._model(images)
        logits = outputs.logits if wants_more else outputs
        terms = segmentation_loss(logits, masks, config.loss, device.sum, self._ramped)
        if wants_more:
            beside = auxiliary_loss(outputs.salt, outputs.deep, masks, config.loss, device.sum)
            terms = terms._replace(total=terms.total + beside)
        self._optimizer.zero_grad()
        device.accelerator.backward(terms.total)
        limit = config.optimizer.clip_norm
        norm = device.accelerator.clip_grad_norm_(
            self._network.parameters(), math.inf if limit is None else limit
        )
        # one transfer from the device for all four
        values = torch.stack([*(term.detach() for term in terms), norm.detach().float()]).tolist()
        if not all(map(math.isfinite, values)):
            return None
        self._optimizer.step()
        if self._average:
            self._average.update(self._network)
        return StepTerms(*values)

    def _load(self, tiles: TileSet, batch: Indices) -> tuple[Tensor, Tensor]:
        """This process's images and masks of a step, augmented as the recipe says."""
        config, device = self._config, self._device
        mine = shard(batch, device.rank, device.world)
        size = input_size(config, self._done)
        mixed = self._windows is not None or spans_surveys(config.augment)
        if not mixed and config.augment == AugmentConfig() and size == config.preprocess.size:
            return load_batch(tiles, mine, config.preprocess)
        augmentation = self._draw(tiles, batch)
        if mixed:
            return load_mixed_batch(
                tiles,
                self._windows,
                mine,
                augmentation,
                config.preprocess,
                frame=self._frame(tiles, batch, size),
                seed=self._seed,
                device=device.drawing_device,
            )
        return load_augmented_batch(
            tiles,
            mine,
            augmentation.tile,
            config.preprocess,
            size=size,
            device=device.drawing_device,
        )

    def _draw(self, tiles: TileSet, batch: Indices) -> BatchAugmentation:
        """This process's share of the augmentation of a step."""
        augment, count = self._config.augment, len(batch)
        flips = None
        if augment.flip == "alternate":
            ids = names(tiles.ids, batch)
            flips = alternate_flips(ids, seed=self._config.seed, epoch=self.cursor.epoch)
        drawn = BatchAugmentation(
            draw(augment, count, seed=self._seed, flip=flips),
            draw_survey(augment, count, self._seed) if spans_surveys(augment) else None,
        )
        return drawn.take(shard(np.arange(count), self._device.rank, self._device.world))

    def _frame(self, tiles: TileSet, batch: Indices, size: int) -> Frame:
        """The sizes of a step's images; all processes have the same."""
        windows = batch >= len(tiles)
        side = 0
        if self._windows and windows.any():
            side = self._windows.size(self._seed, alone=bool(windows.all()))
        return frame(side, self._config.preprocess, size, self._network.divisor)

    @property
    def _seed(self) -> tuple[int, int, int]:
        """The numbers that the random draws of a step depend on, in all processes."""
        return self._config.seed, self.cursor.step, self.cursor.rollbacks

    @property
    def _done(self) -> float:
        """Completed share of the run's steps, in [0, 1]."""
        return min(self.cursor.step / self._steps, 1.0)

    @property
    def _ramped(self) -> float:
        """Completed share of the ramp of the loss weights, in [0, 1]."""
        begin, end = self._config.loss.ramp
        if self._done >= end:
            return 1.0
        return max(self._done - begin, 0.0) / (end - begin)

    @property
    def network(self) -> Network:
        """The network that is evaluated and saved: the average where there is one."""
        return self._average.network if self._average else self._network

    @property
    def lr(self) -> float:
        """Learning rate of the first parameter group; an encoder may have its own."""
        return float(self._optimizer.param_groups[0]["lr"])

    def state(self) -> dict[str, Any]:
        """What `restore` needs to continue exactly."""
        state = {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "cursor": asdict(self.cursor),
        }
        return state | ({"average": self._average.state_dict()} if self._average else {})

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a saved state.

        Raises:
            ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError: it is
                not that of such a run.
        """
        self._network.load_state_dict(state["network"])
        restore_optimizer(self._optimizer, state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self._average:
            self._average.load_state_dict(state["average"])
        self.cursor = Cursor.restored(state["cursor"])

    def weights(self) -> dict[str, NDArray[Any]]:
        """The network's tensors by name, for a bundle."""
        return {
            name: tensor.detach().cpu().numpy()
            for name, tensor in self.network.state_dict().items()
        }

    def save_bytes(self) -> int:
        """Disk space that a run needs in bytes: three checkpoints and two bundles.

        A checkpoint has the weights, two moments of each, and their average where there is one.
        """
        weights = sum(value.nbytes for value in self.weights().values())
        return (3 * (4 if self._average else 3) + 2) * weights

    @property
    def _from_scratch(self) -> bool:
        """Whether an encoder that could have pretrained weights has none."""
        config = self._config
        return config.train.start is None and getattr(config.model, "weights", "") == "none"

    def describe(self) -> str:
        """One line for the log."""
        found, encoder = self._network.weights_found, self._network.encoder_name
        return (
            f"{self._config.model.name}, {parameter_count(self._network):,} parameters"
            + (f", encoder {encoder}" if encoder else "")
            + (f", {len(self._frozen)} stages frozen" if self._frozen else "")
            + (f", encoder weights from {found}" if found else "")
            + (", no pretrained weights" if self._from_scratch else "")
            + f", on {self._device.describe()}"
        )


def _check_sizes(network: Network, progressive: Sequence[tuple[float, int]]) -> None:
    for _, size in progressive:
        if size % network.divisor:
            raise ConfigError(
                f"train.progressive has {size} pixels, not a multiple of {network.divisor}",
                expected=f"multiples of {network.divisor} for this network",
                fix=f"{-(-size // network.divisor) * network.divisor} pixels",
            )


def _step_seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1).item())
