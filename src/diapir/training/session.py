"""What is being trained: a network, its optimiser and schedule, and where the run stands."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.models import build, check_size, parameter_count
from diapir.tiles import TileSet
from diapir.training.batches import Indices, load_batch, shard
from diapir.training.device import Device
from diapir.training.encoder import freeze, parameter_groups
from diapir.training.losses import segmentation_loss


class StepTerms(NamedTuple):
    """What one optimiser step measured; finite numbers."""

    loss: float
    ce: float
    dice: float
    """Soft Dice."""
    norm: float
    """Norm of the gradient of all parameters, before clipping."""


@dataclass
class Cursor:
    """Where a run stands; saved with the weights."""

    epoch: int = 1
    batch: int = 0
    """Batches done in this epoch."""
    step: int = 0
    """Steps done in the run."""
    sums: list[float] = field(default_factory=lambda: [0.0] * len(StepTerms._fields))
    """Sums of the epoch's `StepTerms`."""
    counted: int = 0
    skipped: int = 0
    bad_steps: int = 0
    """Steps skipped one after the other, up to now."""
    norm_max: float = 0.0
    tiles: int = 0
    seconds: float = 0.0
    best_val_loss: float = math.inf
    best_epoch: int = 0
    stale_epochs: int = 0
    """Epochs since the best one."""
    rollbacks: int = 0
    validation_s: float = 0.0
    """Seconds that the last validation took."""

    def count(self, terms: StepTerms | None, tiles: int, seconds: float) -> None:
        """Enter a step of `tiles` tiles; `terms` is None for one that was skipped."""
        if terms is None:
            self.skipped += 1
            self.bad_steps += 1
        else:
            self.counted += 1
            self.bad_steps = 0
            self.sums = [total + term for total, term in zip(self.sums, terms, strict=True)]
            self.norm_max = max(self.norm_max, terms.norm)
        self.tiles += tiles
        self.seconds += seconds
        self.batch += 1
        self.step += 1

    def means(self) -> StepTerms:
        """Means over the epoch's counted steps."""
        return StepTerms(*(total / max(self.counted, 1) for total in self.sums))

    def tiles_per_s(self) -> float:
        """Training speed of the epoch."""
        return self.tiles / max(self.seconds, 1e-9)

    def next_epoch(self) -> None:
        """Step to the start of the next epoch."""
        self.epoch += 1
        self.batch = self.counted = self.skipped = self.tiles = 0
        self.sums = [0.0] * len(self.sums)
        self.norm_max = self.seconds = 0.0


class Session:
    """A network in training.

    Args:
        config: the run.
        device: where it computes.
        pretrained: fill the network's encoder as `model.weights` says; a run that is continued has
            its weights already.

    Attributes:
        network: the bare network, for judging and saving.
        cursor: where the run stands.
    """

    def __init__(self, config: RunConfig, device: Device, *, pretrained: bool = True) -> None:
        self._config = config
        self._device = device
        torch.manual_seed(config.seed)
        self.network = build(config.model, pretrained=pretrained)
        check_size(self.network, config.preprocess.size)
        self._frozen = freeze(self.network, getattr(config.model, "freeze", 0))
        if device.channels_last:
            self.network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(
            parameter_groups(self.network, config.optimizer),
            weight_decay=config.optimizer.weight_decay,
            fused=device.torch_device.type in {"cpu", "cuda"},
        )
        self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=config.schedule.factor, patience=config.schedule.patience
        )
        # the model that trains may be wrapped for many processes, compiling or precision
        self._model, self._optimizer = device.accelerator.prepare(self.network, optimizer)
        self.cursor = Cursor()

    def step(self, tiles: TileSet, batch: Indices) -> StepTerms | None:
        """One optimiser step on a batch that all processes share.

        Returns:
            What it measured; None where loss or gradient was not finite, and no weight moved.
        """
        config, device = self._config, self._device
        # what a step draws at random follows from these alone, so that resuming is exact
        torch.manual_seed(
            _step_seed(config.seed, self.cursor.step, self.cursor.rollbacks, device.rank)
        )
        self._model.train()
        for part in self._frozen:
            part.eval()  # its batch norms keep their statistics
        images, masks = load_batch(
            tiles, shard(batch, device.rank, device.world), config.preprocess
        )
        logits = self._model(device.images(images))
        masks = masks.to(device.torch_device, non_blocking=True)
        terms = segmentation_loss(logits, masks, config.loss, device.sum)
        self._optimizer.zero_grad()
        device.accelerator.backward(terms.total)
        limit = config.optimizer.clip_norm
        norm = device.accelerator.clip_grad_norm_(
            self.network.parameters(), math.inf if limit is None else limit
        )
        # one transfer for all four
        values = torch.stack([*(term.detach() for term in terms), norm.detach().float()]).tolist()
        if not all(map(math.isfinite, values)):
            return None
        self._optimizer.step()
        return StepTerms(*values)

    @property
    def lr(self) -> float:
        """The learning rate of all but an encoder that has its own."""
        return float(self._optimizer.param_groups[0]["lr"])

    def halve_lr(self) -> None:
        """Go on with half the learning rate."""
        for group in self._optimizer.param_groups:
            group["lr"] /= 2

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on as if nothing had happened."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "cursor": asdict(self.cursor),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a saved state."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.cursor = Cursor(**state["cursor"])

    def weights(self) -> dict[str, NDArray[Any]]:
        """The network's tensors by name, for a bundle."""
        return {
            name: tensor.detach().cpu().numpy()
            for name, tensor in self.network.state_dict().items()
        }

    def save_bytes(self) -> int:
        """Disk that a run needs: three states of weights and two moments each, and two bundles."""
        weights = sum(value.nbytes for value in self.weights().values())
        return (3 * 3 + 2) * weights

    def describe(self) -> str:
        """One line for the log."""
        found = self.network.weights_found
        return (
            f"{self._config.model.name}, {parameter_count(self.network):,} parameters"
            + (f", {len(self._frozen)} stages frozen" if self._frozen else "")
            + (f", encoder filled from {found}" if found else "")
            + f", on {self._device.describe()}"
        )


def _step_seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1).item())
