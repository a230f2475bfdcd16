"""Fully convolutional network on ResNet-50, of torchvision.

Source: Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation",
CVPR 2015, https://arxiv.org/abs/1411.4038. torchvision's is its FCN-32s idea on a dilated ResNet:
one head on the last stage, no skips.
"""

from __future__ import annotations

from torchvision.models.segmentation import fcn_resnet50

from diapir.architectures import FCNConfig
from diapir.models.torchvision_network import TorchvisionNetwork


class FCN(TorchvisionNetwork):
    """Dilated ResNet-50 and two convolutions.

    Args:
        config: has nothing that shapes the network.
    """

    def __init__(self, config: FCNConfig) -> None:
        super().__init__(fcn_resnet50(weights=None, weights_backbone=None, num_classes=2))
