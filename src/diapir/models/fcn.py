"""Fully convolutional network on ResNet-50, from torchvision.

Source: Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation",
CVPR 2015, https://arxiv.org/abs/1411.4038. torchvision's version is FCN-32s on a dilated
ResNet: one head on the last stage, without skip connections.
"""

from __future__ import annotations

from torchvision.models.segmentation import fcn_resnet50

from diapir.architectures import FCNConfig
from diapir.models.torchvision_network import TorchvisionNetwork


class FCN(TorchvisionNetwork):
    """FCN with a dilated ResNet-50 and two convolutions.

    Args:
        config: has no settings of the network's shape.
    """

    torchvision_name = "fcn_resnet50"

    def __init__(self, config: FCNConfig) -> None:
        super().__init__(fcn_resnet50(weights=None, weights_backbone=None, num_classes=2))
