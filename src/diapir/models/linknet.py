"""LinkNet: adds skip connections instead of concatenating; from segmentation-models-pytorch.

Source: Chaurasia and Culurciello, "LinkNet: Exploiting Encoder Representations for Efficient
Semantic Segmentation", VCIP 2017, https://arxiv.org/abs/1707.03718.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp

from diapir.architectures import LinkNetConfig
from diapir.models.encoders import EncoderDecoder, usable


class LinkNet(EncoderDecoder):
    """LinkNet with skip connections from stem and stages, and five steps up to the images' size.

    Args:
        config: names the encoder.

    Raises:
        ConfigError: the encoder is unknown or cannot be used.
    """

    def __init__(self, config: LinkNetConfig) -> None:
        with usable(config.encoder) as name:
            network = smp.Linknet(name, encoder_weights=None, classes=2)
            super().__init__(
                network.encoder,
                network.decoder,
                network.segmentation_head,
                encoder_name=config.encoder,
            )
