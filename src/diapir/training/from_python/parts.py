"""What Python code adds to a training beside its recipe: a network, a loss, callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diapir.architectures import CUSTOM, ModelConfig, OtherConfig
from diapir.config import RunConfig
from diapir.errors import ConfigError
from diapir.models import Network, build
from diapir.models.custom import module_name
from diapir.training.from_python.epoch_state import Callback
from diapir.training.loss.losses import LossTerms, Sums

LossFunction = Callable[[Tensor, Tensor], Tensor]
"""From logits `float32 (N, 2, H, W)` and masks `int64 (N, H, W)` of {0, 1, 255 ignore} to the loss
of a batch, a scalar with a gradient."""

_LOSS, _IMAGES = "other loss", "images"
"""Names of its sums."""


@dataclass(frozen=True)
class Parts:
    """A network, a loss and callbacks from Python.

    Attributes:
        model: trained instead of the recipe's network, from the weights that it has.
        loss: instead of the recipe's weighted sum.
        callbacks: told of each epoch, in this order.
    """

    model: nn.Module | None = None
    loss: LossFunction | None = None
    callbacks: Sequence[Callback] = ()

    def __post_init__(self) -> None:
        """Refuse a loss that cannot be called and callbacks that cannot be told.

        Raises:
            ConfigError: one of them.
        """
        if self.loss is not None and (not callable(self.loss) or isinstance(self.loss, type)):
            raise ConfigError(
                f"loss={self.loss!r} cannot be called with logits and masks",
                expected="a function, or an instance of a class with __call__ or forward",
                fix="loss=MyLoss() for a class; for the recipe's own terms, set loss.ce and so on",
            )
        for callback in self.callbacks:
            if isinstance(callback, type) or not callable(getattr(callback, "on_epoch_end", None)):
                raise ConfigError(
                    f"callbacks has {callback!r}",
                    expected="objects with a method on_epoch_end(state)",
                    fix="give an instance, such as callbacks=[MyCallback()]",
                )

    def recorded(self, config: RunConfig) -> RunConfig:
        """The recipe that names these parts, so that a resumed run is held to them.

        Raises:
            ConfigError: the recipe names a network or a loss of Python that is not given.
        """
        if self.loss is None and config.loss.custom is not None:
            custom = config.loss.custom
            raise ConfigError(
                f"loss.custom = {custom!r}, a Python function",
                expected="the function itself",
                fix=f"diapir.train(…, loss={custom.rpartition('.')[2]}), or --set loss.custom=null",
            )
        # what is not given stays as it is: a model to start from may decide it
        given: dict[str, Any] = {}
        if self.model is not None:
            given["model"] = _own_settings(self.model) or OtherConfig.model_validate(
                {"name": CUSTOM, "module": module_name(self.model)}
            )
        if self.loss is not None:
            given["loss"] = config.loss.model_copy(update={"custom": module_name(self.loss)})
        return config.model_copy(update=given)

    def network(self, config: RunConfig) -> Network | None:
        """The network that was given, ready to train; None where the recipe's is to be built.

        Raises:
            ConfigError: it does not turn images of the recipe's size into logits.
        """
        if self.model is None:
            return None
        if isinstance(self.model, Network) and not isinstance(config.model, OtherConfig):
            return self.model
        return build(config.model, module=self.model, size=config.preprocess.side)


NO_PARTS = Parts()
"""Nothing beside the recipe."""


def _own_settings(module: nn.Module) -> ModelConfig | None:
    """The settings of a network that `diapir.create_model` made, if it still is what they say."""
    settings = getattr(module, "settings", None)
    if not isinstance(module, Network) or settings is None:
        return None
    with torch.device("meta"):
        usual = build(settings).state_dict()
    found = module.state_dict()
    same = {name: value.shape for name, value in usual.items()} == {
        name: value.shape for name, value in found.items()
    }
    return settings if same else None


def loss_sums(loss: LossFunction, logits: Tensor, masks: Tensor) -> Sums:
    """The loss of some images, times their number, and that number; both add up over a batch.

    Raises:
        ConfigError: the loss is not a scalar tensor.
    """
    total = loss(logits.float(), masks)
    if not isinstance(total, Tensor) or total.ndim:
        shape = f"a tensor of shape {tuple(total.shape)}" if isinstance(total, Tensor) else total
        raise ConfigError(
            f"the loss {module_name(loss)} returned {shape}",
            expected="a scalar tensor with a gradient",
            fix="take the mean: return loss.mean()",
        )
    count = len(masks)
    return {_LOSS: total.float() * count, _IMAGES: total.new_tensor(count, dtype=torch.float32)}


def with_loss(terms: LossTerms, sums: Sums) -> LossTerms:
    """The terms of a batch, with the total of another loss where the sums have one."""
    return terms._replace(total=sums[_LOSS] / sums[_IMAGES]) if _LOSS in sums else terms
