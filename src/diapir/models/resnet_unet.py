"""U-Net on a ResNet or any other timm encoder, from segmentation-models-pytorch.

Source: the decoder is that of Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015,
https://arxiv.org/abs/1505.04597, with batch norm; the encoder He, Zhang, Ren and Sun, "Deep
Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp

from diapir.architectures import ResNetUNetConfig
from diapir.models.encoders import EncoderDecoder, usable


class ResNetUNet(EncoderDecoder):
    """U-Net with skip connections from stem and stages, and five steps up to the images' size.

    Args:
        config: names the encoder.

    Raises:
        ConfigError: the encoder is unknown or cannot be used.
    """

    def __init__(self, config: ResNetUNetConfig) -> None:
        with usable(config.encoder) as name:
            network = smp.Unet(name, encoder_weights=None, classes=2)
            super().__init__(
                network.encoder,
                network.decoder,
                network.segmentation_head,
                encoder_name=config.encoder,
            )
