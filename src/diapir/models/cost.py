"""What a network costs, counted on its shapes alone: no weights are made, no image is run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from diapir.architectures import ModelConfig
from diapir.models import build, parameter_count

SIZE = 128
"""Height and width in pixels of the image that multiply-adds are usually counted for."""


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
        parameters: number of trainable values.
        multiply_adds: of the convolutions and matrix products of one image.
        divisor: number of pixels that height and width must be multiples of.
        encoder: timm's name of the encoder; None where the network is no classifier's.
    """

    parameters: int
    multiply_adds: int
    divisor: int
    encoder: str | None


def cost(config: ModelConfig, size: int = SIZE) -> Cost:
    """Count what the network of these settings costs.

    Args:
        config: the settings.
        size: height and width in pixels of the image that multiply-adds are counted for.

    Raises:
        ConfigError: the settings name an encoder that cannot be used.
    """
    with torch.device("meta"):
        network = build(config).eval()
        image = torch.empty(1, 3, size, size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    name = network.encoder_name
    return Cost(
        parameters=parameter_count(network),
        multiply_adds=counter.get_total_flops() // 2,  # it counts both
        divisor=network.divisor,
        encoder=name.partition(".")[0] if name else None,
    )
