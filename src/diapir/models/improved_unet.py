"""U-Net with options that can be switched independently, for ablation studies.

Batch norm (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167), dropout of whole channels
(Tompson et al. 2015, https://arxiv.org/abs/1411.4280), another activation, and spatial attention
on the skip connections (Woo et al. 2018, CBAM, https://arxiv.org/abs/1807.06521). With all of them
off it equals `unet`, weight for weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from diapir.architectures import ImprovedUNetConfig
from diapir.models.network import Network
from diapir.models.unet import initialise

_SLOPE = 0.1

_ACTIVATIONS: dict[str, tuple[Callable[[], nn.Module], float]] = {
    "relu": (lambda: nn.ReLU(inplace=True), 0.5),
    "leaky_relu": (lambda: nn.LeakyReLU(_SLOPE, inplace=True), (1 + _SLOPE**2) / 2),
    "elu": (lambda: nn.ELU(inplace=True), 0.6449),
    "silu": (lambda: nn.SiLU(inplace=True), 0.3557),
}
"""Each activation f, and the mean of f(z)² over z ~ N(0, 1), for He initialisation."""


class SpatialAttention(nn.Module):
    """Spatial attention: multiplies each pixel of `(N, C, H, W)` by a weight in (0, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        """Features times their weights."""
        summary = torch.cat(
            [features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)], dim=1
        )
        weights: Tensor = self.weigh(summary).sigmoid()
        return features * weights


class ImprovedUNet(Network):
    """The plain U-Net with optional additions.

    Args:
        config: width, levels and options. The bottleneck counts as the last encoder block.
    """

    def __init__(self, config: ImprovedUNetConfig) -> None:
        super().__init__()
        widths = [config.base * 2**level for level in range(config.levels + 1)]
        upwards = widths[-2::-1]
        self.divisor = 2**config.levels
        self.encoder = nn.ModuleList(
            _block(before, after, config.dropout, config)
            for before, after in zip([3, *widths], widths[:-1], strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = _block(widths[-2], widths[-1], config.dropout, config)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * here, here, 2, stride=2) for here in upwards)
        self.attention = nn.ModuleList(
            SpatialAttention() if config.attention else nn.Identity() for _ in upwards
        )
        self.decoder = nn.ModuleList(
            _block(2 * here, here, config.dropout / 2, config) for here in upwards
        )
        self.head = nn.Conv2d(widths[0], 2, 1)
        _, second_moment = _ACTIVATIONS[config.activation]
        initialise(self, self.head, gain=second_moment**-0.5)
        for module in self.modules():
            if isinstance(module, SpatialAttention):  # followed by a sigmoid, not by the activation
                fan_in = module.weigh.weight.numel()
                nn.init.normal_(module.weigh.weight, std=fan_in**-0.5)

    def logits(self, images: Tensor) -> Tensor:
        """Logits of background and salt."""
        skips = []
        features = images
        for block in self.encoder:
            features = block(features)
            skips.append(features)
            features = self.pool(features)
        features = self.bottleneck(features)
        for up, attend, block, skip in zip(
            self.up, self.attention, self.decoder, reversed(skips), strict=True
        ):
            features = block(torch.cat([attend(skip), up(features)], dim=1))
        logits: Tensor = self.head(features)
        return logits


def _block(
    in_channels: int, out_channels: int, dropout: float, config: ImprovedUNetConfig
) -> nn.Sequential:
    """Two convolutions, each with its batch norm and activation, then dropout."""
    activation, _ = _ACTIVATIONS[config.activation]

    def layers() -> Iterator[nn.Module]:
        for before in (in_channels, out_channels):
            yield nn.Conv2d(before, out_channels, 3, padding=1, bias=not config.batch_norm)
            if config.batch_norm:
                yield nn.BatchNorm2d(out_channels)
            yield activation()
        if dropout:
            yield nn.Dropout2d(dropout)

    return nn.Sequential(*layers())
