"""The registry of architectures: a literal table, one file each.

Contract: a network maps `float32 (N, 3, H, W)` to logits `(N, 2, H, W)` of background and salt, for
any H and W that are multiples of its `divisor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from torch import Tensor, nn

from diapir.architectures import ModelConfig
from diapir.errors import ConfigError
from diapir.models.unet import UNet

REGISTRY: dict[str, Callable[[Any], nn.Module]] = {
    "unet": UNet,
}


class Network(Protocol):
    """What every architecture offers besides being an `nn.Module`."""

    divisor: int


def build(config: ModelConfig) -> nn.Module:
    """A freshly initialised network; the caller seeds torch."""
    return REGISTRY[config.name](config)


def divisor(network: nn.Module) -> int:
    """The number of pixels that height and width must be multiples of."""
    return cast(Network, network).divisor


def check_size(network: nn.Module, size: int) -> None:
    """Refuse an input size the network cannot take.

    Raises:
        ConfigError: `size` is no multiple of the network's divisor; names the next that is.
    """
    step = divisor(network)
    if size % step:
        raise ConfigError(
            f"preprocess.size = {size} is no multiple of {step}",
            expected=f"a multiple of {step}, the network's divisor",
            mend=f"--set preprocess.size={-(-size // step) * step}",
        )


def parameter_count(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


__all__ = ["REGISTRY", "Tensor", "build", "check_size", "divisor", "parameter_count"]
