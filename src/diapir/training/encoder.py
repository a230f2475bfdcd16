"""An encoder that learns less than the rest: frozen stages, a learning rate of its own."""

from __future__ import annotations

from typing import Any

from torch import nn

from diapir.config import OptimizerConfig
from diapir.errors import ConfigError
from diapir.models import Network


def freeze(network: Network, stages: int) -> list[nn.Module]:
    """Keep the encoder's first stages from being trained.

    Args:
        network: the network.
        stages: how many; the stem is the first.

    Returns:
        The frozen stages; while training, the caller keeps them in evaluation mode.

    Raises:
        ConfigError: the network has fewer.
    """
    parts = network.encoder_parts
    if stages > len(parts):
        raise ConfigError(
            f"model.freeze = {stages}, and the network has "
            + (f"an encoder of {len(parts)} stages" if parts else "no encoder"),
            expected=f"at most {len(parts)}",
            fix=f"--set model.freeze={len(parts)}",
        )
    for part in parts[:stages]:
        part.requires_grad_(False)
    return parts[:stages]


def parameter_groups(network: Network, config: OptimizerConfig) -> list[dict[str, Any]]:
    """The network's trainable parameters with their learning rates.

    The first group has the main one; a second is the encoder where it has its own.

    Raises:
        ConfigError: there is no encoder that could have its own.
    """
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if config.encoder_lr is None:
        return [{"params": trainable, "lr": config.lr}]
    if not network.encoder_parts:
        raise ConfigError(
            f"optimizer.encoder_lr = {config.encoder_lr:g}, and the network has no encoder",
            expected="an encoder's learning rate only where there is an encoder",
            fix="--set optimizer.encoder_lr=null",
        )
    inside = {id(value) for part in network.encoder_parts for value in part.parameters()}
    encoder = [parameter for parameter in trainable if id(parameter) in inside]
    others = [parameter for parameter in trainable if id(parameter) not in inside]
    return [
        {"params": others, "lr": config.lr},
        {"params": encoder, "lr": config.encoder_lr},
    ]
