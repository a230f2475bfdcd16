"""DeepLabV3+: atrous pyramid and features of stride 4, from segmentation-models-pytorch.

Source: Chen, Zhu, Papandreou, Schroff and Adam, "Encoder-Decoder with Atrous Separable Convolution
for Semantic Image Segmentation", ECCV 2018, https://arxiv.org/abs/1802.02611.
"""

from __future__ import annotations

import segmentation_models_pytorch as smp

from diapir.architectures import DeepLabV3PlusConfig
from diapir.models.encoders import EncoderDecoder, usable
from diapir.models.network import PooledBatchNorm2d


class DeepLabV3Plus(EncoderDecoder):
    """DeepLabV3+ with an encoder dilated to stride 16 and rates 12, 24 and 36.

    Args:
        config: names the encoder.

    Raises:
        ConfigError: the encoder is unknown or cannot be used.
    """

    def __init__(self, config: DeepLabV3PlusConfig) -> None:
        with usable(config.encoder) as name:
            network = smp.DeepLabV3Plus(
                name, encoder_weights=None, encoder_output_stride=16, classes=2
            )
            # the image pooling of the pyramid leaves one value per channel and tile
            network.decoder.set_submodule("aspp.0.convs.4.2", PooledBatchNorm2d(256), strict=True)
            super().__init__(
                network.encoder,
                network.decoder,
                network.segmentation_head,
                encoder_name=config.encoder,
            )
