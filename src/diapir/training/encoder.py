"""Frozen stages and a separate learning rate of an encoder."""

from __future__ import annotations

from typing import Any

from torch import nn

from diapir.config import OptimizerConfig
from diapir.errors import ConfigError
from diapir.models import Network


def freeze(network: Network, stages: int) -> list[nn.Module]:
    """Freeze the first stages of the encoder.

    Args:
        network: the network.
        stages: how many; the stem is the first.

    Returns:
        The frozen stages, which the caller keeps in evaluation mode during training.

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
    """The trainable parameters of a network with their learning rates and the keys of these.

    The first group has the main learning rate; an encoder with its own is the second.

    Raises:
        ConfigError: a learning rate for the encoder of a network without one.
    """
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if config.encoder_lr is None:
        return [{"params": trainable, "lr": config.lr, "key": "optimizer.lr"}]
    if not network.encoder_parts:
        raise ConfigError(
            f"optimizer.encoder_lr = {config.encoder_lr:g}, and the network has no encoder",
            expected="optimizer.encoder_lr for networks with an encoder only",
            fix="--set optimizer.encoder_lr=null",
        )
    inside = {id(value) for part in network.encoder_parts for value in part.parameters()}
    encoder = [parameter for parameter in trainable if id(parameter) in inside]
    others = [parameter for parameter in trainable if id(parameter) not in inside]
    return [
        {"params": others, "lr": config.lr, "key": "optimizer.lr"},
        {"params": encoder, "lr": config.encoder_lr, "key": "optimizer.encoder_lr"},
    ]
