"""DeepLabV3 on ResNet-50, from torchvision.

Source: Chen, Papandreou, Schroff and Adam, "Rethinking Atrous Convolution for Semantic Image
Segmentation", 2017, https://arxiv.org/abs/1706.05587.
"""

from __future__ import annotations

from torchvision.models.segmentation import deeplabv3_resnet50

from diapir.architectures import DeepLabV3Config
from diapir.models.network import PooledBatchNorm2d
from diapir.models.torchvision_network import TorchvisionNetwork


class DeepLabV3(TorchvisionNetwork):
    """Dilated ResNet-50 and atrous pyramid pooling with rates 12, 24 and 36.

    Args:
        config: has no settings of the network's shape.
    """

    torchvision_name = "deeplabv3_resnet50"

    def __init__(self, config: DeepLabV3Config) -> None:
        super().__init__(deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=2))
        # the image pooling of the pyramid leaves one value per channel and tile
        self.decoder.set_submodule("0.convs.4.2", PooledBatchNorm2d(256), strict=True)
