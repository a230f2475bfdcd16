"""Networks from torchvision: a ResNet-50 dilated to stride 8, and a head."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate

from diapir.models.network import Network


class TorchvisionNetwork(Network):
    """A network of `torchvision.models.segmentation` without its auxiliary head.

    Args:
        whole: torchvision's network, whose parts are used.
    """

    divisor = 8
    encoder_name = "resnet50.tv_in1k"
    head_name = "decoder.4"  # the last convolution

    def __init__(self, whole: nn.Module) -> None:
        super().__init__()
        self.encoder = whole.get_submodule("backbone")
        self.decoder = whole.get_submodule("classifier")

    @property
    def encoder_parts(self) -> list[nn.Module]:
        """Stem and the four stages."""
        part = self.encoder.get_submodule
        return [
            nn.ModuleList([part("conv1"), part("bn1")]),
            *(part(f"layer{stage}") for stage in range(1, 5)),
        ]

    def logits(self, images: Tensor) -> Tensor:
        """Logits of background and salt, bilinearly upsampled from stride 8."""
        features: Tensor = self.encoder(images)["out"]  # (N, 2048, H / 8, W / 8)
        return interpolate(
            self.decoder(features), size=images.shape[2:], mode="bilinear", align_corners=False
        )
