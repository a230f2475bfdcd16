"""A network in training: its optimiser, its schedule, and the position of the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diapir.config import RunConfig
from diapir.errors import ConfigError
from diapir.models import Network, build, check_size, load_pretrained, parameter_count
from diapir.run.folder import changes_text, noted_settings
from diapir.tiles import TileSet
from diapir.training.batches.tile_crops import Indices
from diapir.training.batches.windows import Windows
from diapir.training.cursor import Cursor, StepTerms
from diapir.training.device import Device
from diapir.training.ema import AveragedNetwork
from diapir.training.encoder import freeze, parameter_groups
from diapir.training.from_python.parts import NO_PARTS, Parts, loss_sums, with_loss
from diapir.training.loss.in_parts import backward_in_parts
from diapir.training.loss.losses import (
    LossTerms,
    Sums,
    auxiliary_sums,
    auxiliary_terms,
    loss_terms,
    pooled,
    segmentation_sums,
)
from diapir.training.optimizer import make_optimizer
from diapir.training.saved_state import restore_optimizer
from diapir.training.schedule import make_schedule
from diapir.training.start import Start, start_from
from diapir.training.step_images import AHEAD, Place, StepImages


class Session:
    """A network in training.

    Args:
        config: the run.
        device: where it computes.
        pretrained: load pretrained weights into the encoder as `model.weights` says, or those that
            `train.start` names; a resumed run has its weights already.
        steps: optimiser steps of the whole run, over which schedules and ramps are defined.
        windows: windows of sections that are trained on as well; None for none.
        parts: a network and a loss from Python.

    Attributes:
        loss: instead of the recipe's; None for the recipe's.
        cursor: position of the run.
        schedule: sets the learning rates.
        started: the weights of another model that the training started from, if any.
        changes: settings that were changed when the run was resumed, and from which epoch.
    """

    def __init__(
        self,
        config: RunConfig,
        device: Device,
        *,
        pretrained: bool = True,
        steps: int = 1,
        windows: Windows | None = None,
        parts: Parts = NO_PARTS,
    ) -> None:
        self._config = config
        self.loss = parts.loss
        self._device = device
        torch.manual_seed(config.seed)
        self._steps = steps
        network = parts.network(config) or build(config.model, size=config.preprocess.side)
        check_size(network, config.preprocess.side)
        _check_sizes(network, config.train.progressive)
        self._frozen = freeze(network, getattr(network.settings, "freeze", 0))
        parameter_groups(network, config.optimizer)  # refuses before weights are downloaded
        self.started = Start()
        if pretrained and config.train.start is not None:
            self.started = start_from(network, config)
        elif pretrained and parts.model is None:
            load_pretrained(network, config.model)
        self._images = StepImages(
            config,
            device,
            windows,
            divisor=network.divisor,
            steps=steps,
            # a CPU has no time left for it
            ahead=0 if device.torch_device.type == "cpu" else AHEAD,
        )
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
        self.changes: list[str] = []

    def step(
        self, tiles: TileSet, batch: Indices, following: Sequence[Indices] = ()
    ) -> StepTerms | None:
        """Do one optimiser step on a batch that all processes share.

        Args:
            tiles: the training tiles.
            batch: the images of the step.
            following: those of the steps after it, which may be loaded ahead.

        Returns:
            What it measured; None where loss or gradient was not finite and the step was skipped.
        """
        config, device = self._config, self._device
        self.schedule.before_step(self.cursor.step)
        self._model.train()
        for part in self._frozen:
            part.eval()  # batch norms of frozen stages keep their statistics
        parts = self._images.take(tiles, batch, self._place, following)
        self._optimizer.zero_grad()
        if len(parts) == 1:
            terms = self._terms(self._sums(0, *parts[0]))
            device.accelerator.backward(terms.total)
        else:
            terms = backward_in_parts(
                len(parts),
                lambda number: self._sums(number, *parts[number]),
                self._terms,
                device.accelerator.backward,
                self._network,
            )
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

    def _sums(self, number: int, images: Tensor, masks: Tensor) -> Sums:
        """The sums of a part of a step that its loss is made of, over all processes."""
        config, device = self._config, self._device
        # all random draws of a step depend on these alone, so that resuming is exact
        torch.manual_seed(
            _step_seed(*self._place.seed(config.seed), device.rank, *([number] if number else []))
        )
        images = device.images(images)
        masks = masks.to(device.torch_device, non_blocking=True).long()
        wants_more = self._wants_more
        outputs = self._model(images, auxiliary=True) if wants_more else self._model(images)
        logits = outputs.logits if wants_more else outputs
        sums = segmentation_sums(logits, masks, config.loss, self._ramped)
        if wants_more:
            sums |= auxiliary_sums(outputs.salt, outputs.deep, masks)
        if self.loss is not None:
            sums |= loss_sums(self.loss, logits, masks)
        return pooled(sums, device.sum)

    def _terms(self, sums: Sums) -> LossTerms:
        """The loss of a step from its sums."""
        terms = with_loss(loss_terms(sums, self._config.loss, self._ramped), sums)
        if self._wants_more:
            terms = terms._replace(total=terms.total + auxiliary_terms(sums, self._config.loss))
        return terms

    @property
    def _wants_more(self) -> bool:
        """Whether auxiliary outputs are trained."""
        loss = self._config.loss
        # several processes wait for a gradient of every weight, even if it is 0
        return bool(loss.empty or loss.deep) or self._device.world > 1

    @property
    def _place(self) -> Place:
        return Place.of(self.cursor)

    @property
    def _ramped(self) -> float:
        """Completed share of the ramp of the loss weights, in [0, 1]."""
        begin, end = self._config.loss.ramp
        done = self._place.done(self._steps)
        if done >= end:
            return 1.0
        return max(done - begin, 0.0) / (end - begin)

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
            "start": dict(self.started.record),
            "settings": noted_settings(self._config),
            "changes": self.changes,
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
        self.started = Start(record={str(k): str(v) for k, v in state.get("start", {}).items()})
        self._take_changes(state)

    def _take_changes(self, state: dict[str, Any]) -> None:
        """Note the settings that have changed since a checkpoint, and take new learning rates."""
        self.changes = [str(change) for change in state.get("changes", [])]
        now = noted_settings(self._config)
        before = state.get("settings", now)
        changed = {key: (before[key], value) for key, value in now.items() if before[key] != value}
        if changed:
            self.changes.append(f"{changes_text(changed)}, from epoch {self.cursor.epoch}")
        for group in self._optimizer.param_groups:
            if group["key"] in changed:
                group["lr"] = now[group["key"]]
                self.schedule.restart()

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
            + (f", {self._network.weights_parts} weights from {found}" if found else "")
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
