"""U-Net without batch norm: ReLU, 31.0 M parameters at base 64.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", MICCAI 2015, https://arxiv.org/abs/1505.04597. Unlike there, convolutions are
padded so that the output has the input's height and width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diapir.architectures import UNetConfig
from diapir.models.network import Network


class DoubleConv(nn.Sequential):
    """Two 3 × 3 convolutions, each with a ReLU: `(N, in, H, W)` → `(N, out, H, W)`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.ReLU(inplace=True),
        )


def initialise(network: nn.Module, head: nn.Conv2d, *, gain: float = 2**0.5) -> None:
    """He normal initialisation (arXiv 1502.01852) with a small head.

    Without batch norm, the signal vanishes through 18 layers with PyTorch's default; with a small
    head, training starts near p = 0.5.

    Args:
        network: its convolutions are initialised.
        head: its last convolution.
        gain: compensates for the activation; √2 for ReLU.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=gain * fan_in**-0.5)
        elif isinstance(module, nn.ConvTranspose2d):
            # stride 2, kernel 2: one kernel weight per output pixel, so the fan-in is in_channels
            nn.init.normal_(module.weight, std=module.in_channels**-0.5)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    nn.init.normal_(head.weight, std=0.01)


class UNet(Network):
    """Encoder and decoder with `levels` halvings, joined by skip connections.

    Args:
        config: width of the first level (`base`, doubled at each level) and number of `levels`.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        widths = [config.base * 2**level for level in range(config.levels + 1)]
        self.divisor = 2**config.levels
        self.encoder = nn.ModuleList(
            DoubleConv(before, after)
            for before, after in zip([3, *widths], widths[:-1], strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = DoubleConv(widths[-2], widths[-1])
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(below, here, 2, stride=2)
            for below, here in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.decoder = nn.ModuleList(DoubleConv(2 * here, here) for here in widths[-2::-1])
        self.head = nn.Conv2d(widths[0], 2, 1)
        initialise(self, self.head)

    def logits(self, images: Tensor) -> Tensor:
        """Logits of background and salt."""
        skips = []
        features = images
        for block in self.encoder:
            features = block(features)
            skips.append(features)
            features = self.pool(features)
        features = self.bottleneck(features)
        for up, block, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            features = block(torch.cat([skip, up(features)], dim=1))
        logits: Tensor = self.head(features)
        return logits
