"""PSPNet: features pooled to 1, 2, 3 and 6 bins give each pixel its global context.

Source: Zhao, Shi, Qi, Wang and Jia, "Pyramid Scene Parsing Network", CVPR 2017,
https://arxiv.org/abs/1612.01105. Own code, because that of segmentation-models-pytorch differs
from the paper: three stages of the encoder without dilation, no batch norm on the bin of the whole
image, and a 1 × 1 convolution instead of 3 × 3.
"""

from __future__ import annotations

import torch
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn
from torch.nn.functional import interpolate

from diapir.architectures import PSPNetConfig
from diapir.models.encoders import EncoderDecoder, usable
from diapir.models.network import PooledBatchNorm2d

BINS = (1, 2, 3, 6)
STRIDE = 8


class PSPNet(EncoderDecoder):
    """PSPNet with an encoder dilated to stride 8, pyramid pooling and one 3 × 3 convolution.

    Pyramid and head scale with the encoder: each of the four bins and the head have a quarter of
    its channels, which is the paper's 512 for ResNet-50.

    Args:
        config: names the encoder.

    Raises:
        ConfigError: the encoder is unknown or cannot be used.
    """

    def __init__(self, config: PSPNetConfig) -> None:
        with usable(config.encoder) as name:
            features = get_encoder(name, weights=None, output_stride=STRIDE)
            channels = features.out_channels[-1]
            super().__init__(
                features, _Pyramid(channels), _head(channels), encoder_name=config.encoder
            )


class _Pyramid(nn.Module):
    """Concatenates the coarsest map `(N, C, h, w)` with its pooled bins: `(N, 2·C, h, w)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(bins),
                nn.Conv2d(channels, channels // len(BINS), 1, bias=False),
                # the bin of the whole image leaves one value per channel and tile
                (PooledBatchNorm2d if bins == 1 else nn.BatchNorm2d)(channels // len(BINS)),
                nn.ReLU(inplace=True),
            )
            for bins in BINS
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        features = maps[-1]
        context = [
            interpolate(
                branch(features), size=features.shape[2:], mode="bilinear", align_corners=False
            )
            for branch in self.branches
        ]
        return torch.cat([features, *context], dim=1)


def _head(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2 * channels, channels // 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels // 4),
        nn.ReLU(inplace=True),
        nn.Dropout2d(0.1),
        nn.Conv2d(channels // 4, 2, 1),
        nn.Upsample(scale_factor=STRIDE, mode="bilinear", align_corners=False),
    )
