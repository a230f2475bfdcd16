"""SegNet: a VGG16 encoder, and a decoder that unpools with the encoder's pooling indices.

Source: Badrinarayanan, Kendall and Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder
Architecture for Image Segmentation", TPAMI 2017, https://arxiv.org/abs/1511.00561.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from diapir.architectures import SegNetConfig
from diapir.models.network import Network


class SegNet(Network):
    """VGG16 with batch norm as encoder, and its mirror image as decoder.

    Args:
        config: has no settings of the network's shape.
    """

    divisor = 32
    encoder_name = "vgg16_bn.tv_in1k"

    def __init__(self, config: SegNetConfig) -> None:
        super().__init__()
        stages = _stages(cfgs["D"])
        self.encoder = nn.ModuleDict({"features": make_layers(cfgs["D"], batch_norm=True)})
        self.unpool = nn.MaxUnpool2d(2)
        # the last convolution of the last stage is the head
        narrower = [[], *([stage[-1]] for stage in stages[:-1])]
        self.decoder = nn.ModuleList(
            nn.Sequential(*_mirrored(stage[0], [*stage[1:], *last]))
            for stage, last in zip(reversed(stages), reversed(narrower), strict=True)
        )
        self.head = nn.Conv2d(stages[0][0], 2, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.MaxPool2d):
                module.return_indices = True
            elif isinstance(module, nn.Conv2d):  # as torchvision initialises its VGG
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.head.weight, std=0.01)  # so that training starts near p = 0.5

    @property
    def encoder_parts(self) -> list[nn.Module]:
        """The five stages between poolings; the first counts as the stem."""
        parts: list[nn.Module] = []
        stage = nn.ModuleList()
        for layer in self.encoder["features"].children():
            stage.append(layer)
            if isinstance(layer, nn.MaxPool2d):
                parts.append(stage)
                stage = nn.ModuleList()
        return parts

    def logits(self, images: Tensor) -> Tensor:
        """Logits of background and salt."""
        features = images
        found = []  # pooling indices
        for layer in self.encoder["features"].children():
            if isinstance(layer, nn.MaxPool2d):
                features, indices = layer(features)
                found.append(indices)
            else:
                features = layer(features)
        for block, indices in zip(self.decoder, reversed(found), strict=True):
            features = block(self.unpool(features, indices))
        logits: Tensor = self.head(features)
        return logits


def _stages(plan: list[str | int]) -> list[list[int]]:
    """Channels of each stage's convolutions; "M" in torchvision's plan is a pooling."""
    stages: list[list[int]] = [[]]
    for step in plan:
        if isinstance(step, int):
            stages[-1].append(step)
        else:
            stages.append([])
    return stages[:-1]


def _mirrored(width: int, widths: list[int]) -> Iterator[nn.Module]:
    """A decoder stage: convolutions from `width` channels to each of `widths` in turn."""
    for before, after in pairwise([width, *widths]):
        yield nn.Conv2d(before, after, 3, padding=1, bias=False)
        yield nn.BatchNorm2d(after)
        yield nn.ReLU(inplace=True)
