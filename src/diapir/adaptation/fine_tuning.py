"""Training a network on from its weights, on windows of a few labelled sections.

A step depends on its stage, its number and the seed alone, so that resuming is exact. The learning
rate rises over the first steps and falls along a cosine to the end of the stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from diapir.adaptation.crops import Crops
from diapir.adaptation.replay import Replay
from diapir.adaptation.self_training import Mixed
from diapir.config import AugmentConfig, LossConfig, PreprocessConfig
from diapir.errors import RunError
from diapir.models import Network
from diapir.training.batches.augment import draw, normalised, sample, without_geometry
from diapir.training.batches.survey_augment import augment_grey, draw_survey, spans_surveys
from diapir.training.loss.losses import segmentation_loss
from diapir.training.saved_state import restore_optimizer

WARMUP = 6
"""Steps over which the learning rate rises."""
BAD_STEPS = 5
"""Steps without a finite loss or gradient in a row after which the training is given up."""
AUGMENT = AugmentConfig(
    flip="random", scale=0.2, stretch=0.15, rotate=5, brightness=0.1, contrast=0.3
)
LOSS = LossConfig(ce=1.0, dice=1.0)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained on. Chosen by measurement, see docs/adapt.md.

    Attributes:
        lr: highest learning rate. The encoder stays as it is, and so do the statistics of batch
            norms: in a minute on one line they lose more than they gain, and cost twice the time.
        batch: windows in a step.
        window: side of the windows in pixels.
        weight_decay: of AdamW.
        clip_norm: largest norm of the gradient.
        floor: learning rate at the end of a stage, as a share of the highest.
        augment: augmentation of the windows.
        loss: weights of the terms.
    """

    lr: float = 1e-3
    batch: int = 16
    window: int = 128
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    floor: float = 0.02
    augment: AugmentConfig = AUGMENT
    loss: LossConfig = LOSS


class Stage(NamedTuple):
    """A stage of the training.

    Attributes:
        number: 1 without the held-out labels, 2 with all, 3 with pseudo-labels as well.
        steps: number of steps; None while it is not decided, which the first steps do not need.
        share: highest learning rate, as a share of the recipe's.
    """

    number: int
    steps: int | None
    share: float = 1.0


class FineTuning:
    """A network that is trained on.

    Args:
        network: with the weights to start from.
        preprocess: how an image becomes its input.
        recipe: how to train.
        seed: of all random draws.
        replay: windows beside those of the survey; None for none.
    """

    def __init__(
        self,
        network: Network,
        preprocess: PreprocessConfig,
        recipe: Recipe,
        seed: int,
        replay: Replay | None = None,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self._encoder: nn.Module | None = getattr(network, "features", None)
        if self._encoder is not None:
            self._encoder.requires_grad_(False)
        self._preprocess = preprocess.model_copy(update={"size": recipe.window})
        self._recipe = recipe
        self._seed = seed
        self._replay = replay
        self._bad = 0
        self._optimizer = self._make_optimizer()

    def begin_stage(self) -> None:
        """Forget the moments of the optimiser, which belong to other labels."""
        self._optimizer = self._make_optimizer()

    def step(self, crops: Crops | Mixed, stage: Stage, number: int) -> float:
        """Do one step; returns the loss, NaN where it was not finite and the step was skipped.

        Args:
            crops: what windows are cut from.
            stage: the stage.
            number: of the step in its stage, from 0.

        Raises:
            RunError: loss or gradient were not finite for several steps.
        """
        seed = (self._seed, stage.number, number)
        torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1).item()))
        self.network.train()
        for module in self.network.modules():
            if module is self._encoder or isinstance(module, nn.BatchNorm2d):
                module.eval()
        images, masks = self._batch(crops, seed)
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.lr * self._share(stage, number)
        terms = segmentation_loss(self.network(images), masks, self._recipe.loss)
        self._optimizer.zero_grad()
        terms.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self._recipe.clip_norm)
        loss = float(terms.total.detach())
        if not math.isfinite(loss) or not math.isfinite(float(norm)):
            self._bad += 1
            if self._bad >= BAD_STEPS:
                raise _diverged()
            return math.nan
        self._bad = 0
        self._optimizer.step()
        return loss

    def _batch(self, crops: Crops | Mixed, seed: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """Augmented images `float32 (n, 3, size, size)` and masks `int64 (n, size, size)`."""
        recipe = self._recipe
        augmentation = draw(recipe.augment, recipe.batch, seed)
        replayed = self._replay.count(recipe.batch) if self._replay else 0
        own = recipe.batch - replayed
        images, masks = crops.cut(recipe.window, augmentation.matrix[:own], seed)
        if self._replay:
            more = self._replay.cut(replayed, recipe.window, seed)
            images = np.concatenate([images, more[0]])
            masks = np.concatenate([masks, more[1]])
        grey, labels = sample(
            torch.from_numpy(images),
            torch.from_numpy(masks),
            without_geometry(augmentation),
            self._preprocess,
        )
        if spans_surveys(recipe.augment):
            survey = draw_survey(recipe.augment, recipe.batch, seed)
            grey, labels = augment_grey(grey, labels, survey)
        seen = normalised(grey, self._preprocess)
        return seen.contiguous(memory_format=torch.channels_last), labels

    def _share(self, stage: Stage, number: int) -> float:
        """Learning rate of a step, as a share of the highest."""
        highest = stage.share
        if number < WARMUP:
            return highest * (number + 1) / (WARMUP + 1)
        rest = max(1, (stage.steps or number + 1) - WARMUP)
        done = min((number - WARMUP) / rest, 1.0)
        floor = self._recipe.floor
        return highest * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        recipe = self._recipe
        return torch.optim.AdamW(trained, lr=recipe.lr, weight_decay=recipe.weight_decay)

    def state(self) -> dict[str, Any]:
        """What `restore` needs to continue exactly."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "bad": self._bad,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        self.network.load_state_dict(state["network"])
        restore_optimizer(self._optimizer, state["optimizer"])
        self._bad = int(state["bad"])


def _diverged() -> RunError:
    return RunError(
        f"loss or gradient were not finite in {BAD_STEPS} steps in a row",
        expected="labels and a model that it can be trained on with",
        fix="check the labels, or give another --model or --seed",
    )
