"""HRNet: four parallel resolutions, all used by the head.

Source: Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", TPAMI
2020, https://arxiv.org/abs/1908.07919, where it is called HRNetV2. The backbone is timm's.
"""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from diapir.architectures import HRNetConfig
from diapir.errors import ConfigError
from diapir.models.network import Network


class HRNet(Network):
    """An HRNet from timm with the paper's head on its four branches.

    Args:
        config: the encoder, one of timm's `hrnet_*`.

    Raises:
        ConfigError: the encoder is not one of timm's HRNets.
    """

    divisor = 32

    def __init__(self, config: HRNetConfig) -> None:
        super().__init__()
        variants = timm.list_models("hrnet_*")
        if config.encoder not in variants:
            raise ConfigError(
                f"model.encoder = {config.encoder!r} is not one of timm's HRNets",
                expected="one of " + ", ".join(variants),
                fix="--set model.encoder=hrnet_w48, or another architecture for this encoder",
            )
        self.encoder_name = config.encoder
        # feature_location="" gives the branches before the classifier increases their channels
        self.encoder = timm.create_model(
            config.encoder, features_only=True, feature_location="", out_indices=(1, 2, 3, 4)
        )
        channels = sum(self.encoder.feature_info.channels())
        self.head = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 2, 1),
        )

    @property
    def encoder_parts(self) -> list[nn.Module]:
        """The stem and the four stages, each with the transition before it."""
        part = self.encoder.get_submodule
        return [
            nn.ModuleList([part("conv1"), part("bn1"), part("conv2"), part("bn2")]),
            part("layer1"),
            *(
                nn.ModuleList([part(f"transition{stage - 1}"), part(f"stage{stage}")])
                for stage in (2, 3, 4)
            ),
        ]

    def logits(self, images: Tensor) -> Tensor:
        """Logits of background and salt, bilinearly upsampled from stride 4."""
        branches: list[Tensor] = self.encoder(images)  # strides 4, 8, 16 and 32
        finest = branches[0].shape[2:]
        features = torch.cat([_resize(branch, finest) for branch in branches], dim=1)
        return _resize(self.head(features), images.shape[2:])


def _resize(features: Tensor, size: torch.Size) -> Tensor:
    if features.shape[2:] == size:
        return features
    return interpolate(features, size=size, mode="bilinear", align_corners=False)
