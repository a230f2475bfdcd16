"""Halite, the flagship: a light encoder and a small decoder up to half or full resolution.

Sources: the decoder is that of Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015,
https://arxiv.org/abs/1505.04597; its attention that of Roy, Navab and Wachinger, "Concurrent
Spatial and Channel 'Squeeze & Excitation' in Fully Convolutional Networks", MICCAI 2018,
https://arxiv.org/abs/1803.02579; the head that of Hariharan et al., "Hypercolumns for
Object Segmentation and Fine-grained Localization", CVPR 2015, https://arxiv.org/abs/1411.5752.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn
from torch.nn.functional import interpolate

from diapir.architectures import HaliteConfig
from diapir.models.encoders import EncoderDecoder, drop_unused, keep_resolution, usable
from diapir.models.network import Outputs

SALT_SHARE = 0.25
"""Probability of salt that an untrained network predicts: the share of salt in TGS tiles."""


class Halite(EncoderDecoder):
    """Skip connections from stem and stages up to the stem's resolution, then bilinear upsampling.

    One additional decoder block goes up to the images' resolution, with the images as skip
    connection.

    Only `outputs` uses the auxiliary heads for training: whether the tile contains any salt, from
    the encoder's coarsest map, and logits from each decoder block but the finest.

    Args:
        config: encoder, decoder and options.

    Raises:
        ConfigError: the encoder is unknown or cannot be used.
    """

    def __init__(self, config: HaliteConfig) -> None:
        with usable(config.encoder) as name:
            features = get_encoder(name, weights=None, depth=config.levels)
            drop_unused(features.model)
            if config.stem_stride == 1:
                keep_resolution(features.model)
            channels = features.out_channels
            widths = config.widths + ((config.finest,) if config.finest else ())
            stride = config.stem_stride // 2 if config.finest else config.stem_stride
            super().__init__(
                features,
                _Decoder(channels, widths, scse=config.scse),
                _Head(widths, config.hypercolumn, config.dropout, stride),
                encoder_name=config.encoder,
                stem_stride=min(config.stem_stride, 2),
            )
        self.shrink = nn.AvgPool2d(2) if config.stem_stride == 4 else nn.Identity()
        self.divisor = 2 ** (config.levels - 1) * config.stem_stride
        self.salt = nn.Linear(channels[-1], 1)
        self.deep = nn.ModuleList(nn.Conv2d(width, 2, 1) for width in widths[:-1])
        for layer in (self.head.predict, *self.deep):
            _expect_little_salt(layer)

    def logits(self, images: Tensor) -> Tensor:
        """Logits of background and salt."""
        logits: Tensor = self.head(self.decoder(self.features(self.shrink(images))))
        return logits

    def outputs(self, images: Tensor) -> Outputs:
        """Logits, the logit of any salt in the tile, and logits of the coarser maps."""
        maps = self.features(self.shrink(images))
        decoded = self.decoder(maps)
        return Outputs(
            self.head(decoded),
            self.salt(maps[-1].mean(dim=(2, 3)))[:, 0],
            tuple(layer(found) for layer, found in zip(self.deep, decoded[:-1], strict=True)),
        )


class _Decoder(nn.Module):
    """The encoder's maps, images first → the maps of the blocks, coarsest first.

    Args:
        channels: channels of the images and the encoder's maps, finest first.
        widths: channels of the blocks, coarsest first. With as many blocks as maps, the images are
            the last skip connection.
        scse: whether each block ends in `ScSE`.
    """

    def __init__(self, channels: list[int], widths: tuple[int, ...], *, scse: bool) -> None:
        super().__init__()
        belows = pairwise((channels[-1], *widths))
        skips = list(enumerate(channels))[-2::-1][: len(widths)]
        self.blocks = nn.ModuleList(
            # a kernel of 1 is enough for features of the encoder, but not for the images
            _Block(below, skip, width, scse=scse, kernel=1 if place else 3)
            for (below, width), (place, skip) in zip(belows, skips, strict=True)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        features = maps[-1]
        decoded = []
        for block, skip in zip(self.blocks, maps[-2::-1], strict=False):
            features = block(features, skip)
            decoded.append(features)
        return decoded


class _Block(nn.Module):
    """`(N, below, h, w)` and a skip `(N, skip, 2·h, 2·w)` → `(N, width, 2·h, 2·w)`.

    U-Net convolves the concatenation at the larger size. Here the lower map is convolved at its own
    size and the result upsampled, and the skip is convolved with `kernel`: half the MACs.
    """

    def __init__(self, below: int, skip: int, width: int, *, scse: bool, kernel: int) -> None:
        super().__init__()
        self.below = _normed(below, width, 3)
        self.skip = _normed(skip, width, kernel) if skip else None
        self.join = nn.ReLU(inplace=True)
        self.refine = nn.Sequential(_normed(width, width, 3), nn.ReLU(inplace=True))
        self.attend = ScSE(width) if scse else nn.Identity()

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        joined = _upsampled(self.below(features), 2.0)
        if self.skip is not None:
            joined = joined + self.skip(skip)
        attended: Tensor = self.attend(self.refine(self.join(joined)))
        return attended


class ScSE(nn.Module):
    """Concurrent channel and spatial squeeze and excitation: the sum of both attentions.

    Args:
        channels: number of channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, max(1, channels // 2), 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(max(1, channels // 2), channels, 1),
            nn.Sigmoid(),
        )
        self.places = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """Multiply features `(N, C, H, W)` by the sum of both weights, which is in (0, 2)."""
        weighed: Tensor = features * (self.channels(features) + self.places(features))
        return weighed


class _Head(nn.Module):
    """The decoder's maps, coarsest first → logits of the images' size."""

    def __init__(
        self, widths: tuple[int, ...], hypercolumn: bool, dropout: float, stride: int
    ) -> None:
        super().__init__()
        self.columns = nn.ModuleList(
            _normed(width, widths[-1], 1) for width in widths[:-1] if hypercolumn
        )
        self.join = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout2d(dropout)
        self.predict = nn.Conv2d(widths[-1], 2, 1)
        self.stride = float(stride)

    def forward(self, maps: list[Tensor]) -> Tensor:
        features = maps[-1]
        if self.columns:
            # sums instead of a concatenation: each coarser map is convolved at its own size
            coarse = self.columns[0](maps[0])
            for column, finer in zip(self.columns[1:], maps[1:-1], strict=True):
                coarse = _upsampled(coarse, 2.0) + column(finer)
            features = self.join(_upsampled(coarse, 2.0) + features)
        logits: Tensor = self.predict(self.dropout(features))
        if self.stride == 1:
            return logits
        # two channels are too few for PyTorch's vectorised upsampling with channels last
        return _upsampled(logits.contiguous(), self.stride)


def _upsampled(features: Tensor, factor: float) -> Tensor:
    return interpolate(features, scale_factor=factor, mode="bilinear", align_corners=False)


def _normed(before: int, after: int, kernel: int) -> nn.Sequential:
    """A convolution followed by its batch norm, which an export folds into it."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(after)
    )


def _expect_little_salt(layer: nn.Conv2d) -> None:
    """Initialise a last layer so that it predicts about `SALT_SHARE` everywhere."""
    assert layer.bias is not None  # noqa: S101 - it is created with one
    half = math.log(SALT_SHARE / (1 - SALT_SHARE)) / 2
    with torch.no_grad():
        nn.init.normal_(layer.weight, std=0.01)
        layer.bias.copy_(torch.tensor([-half, half]))
