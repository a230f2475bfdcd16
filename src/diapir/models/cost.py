"""Parameters and MACs of a network, counted on the meta device without weights or images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from diapir.architectures import ARCHITECTURES, ModelConfig
from diapir.models import REGISTRY, build, parameter_count

SIZE = 128
"""Default height and width in pixels of the image that MACs are counted for."""


@dataclass(frozen=True)
class Cost:
    """The cost of a network.

    Attributes:
        parameters: number of trainable parameters.
        multiply_adds: MACs of the convolutions and matrix products for one image.
        divisor: height and width must be multiples of this number of pixels.
        encoder: timm's name of the encoder; None without a timm encoder.
    """

    parameters: int
    multiply_adds: int
    divisor: int
    encoder: str | None


def cost(config: ModelConfig, size: int = SIZE) -> Cost:
    """Count parameters and MACs of a network.

    Args:
        config: the settings.
        size: height and width in pixels of the image.

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
        multiply_adds=counter.get_total_flops() // 2,  # two FLOPs per MAC
        divisor=network.divisor,
        encoder=name.partition(".")[0] if name else None,
    )


def table_row(name: str) -> dict[str, Any]:
    """An architecture's row of the table that `diapir models` prints: its cost and its paper."""
    architecture = REGISTRY[name]
    paper = {"paper": architecture.paper, "link": architecture.link}
    settings: Any = ARCHITECTURES[name]()
    return {"name": name} | asdict(cost(settings)) | paper
