"""The registry of architectures: a literal table, with one file per architecture.

Contract: a network maps `float32 (N, 3, H, W)` to logits `(N, 2, H, W)` of background and salt, for
any H and W that are multiples of its `divisor`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from diapir.architectures import ARCHITECTURES, ModelConfig, OtherConfig
from diapir.models.network import Network, Outputs, check_images, check_size


@dataclass(frozen=True)
class Architecture:
    """The module and the paper of an architecture.

    Attributes:
        module: its module, imported (with timm or torchvision) when it is first built.
        network: its class, called with its settings.
        paper: authors and year.
        link: URL of the paper.
    """

    module: str
    network: str
    paper: str
    link: str

    def load(self) -> Callable[[Any], Network]:
        """The class."""
        network: Callable[[Any], Network] = getattr(
            import_module(f"{__name__}.{self.module}"), self.network
        )
        return network


def _arxiv(number: str) -> str:
    return f"https://arxiv.org/abs/{number}"


REGISTRY: dict[str, Architecture] = {
    "unet": Architecture("unet", "UNet", "Ronneberger et al. 2015", _arxiv("1505.04597")),
    "improved_unet": Architecture(
        "improved_unet", "ImprovedUNet", "Ronneberger et al. 2015", _arxiv("1505.04597")
    ),
    "resnet_unet": Architecture(
        "resnet_unet", "ResNetUNet", "Ronneberger et al. 2015, He et al. 2016", _arxiv("1512.03385")
    ),
    "deeplabv3plus": Architecture(
        "deeplabv3plus", "DeepLabV3Plus", "Chen et al. 2018", _arxiv("1802.02611")
    ),
    "deeplabv3": Architecture("deeplabv3", "DeepLabV3", "Chen et al. 2017", _arxiv("1706.05587")),
    "fcn": Architecture("fcn", "FCN", "Long et al. 2015", _arxiv("1411.4038")),
    "pspnet": Architecture("pspnet", "PSPNet", "Zhao et al. 2017", _arxiv("1612.01105")),
    "segnet": Architecture("segnet", "SegNet", "Badrinarayanan et al. 2017", _arxiv("1511.00561")),
    "linknet": Architecture(
        "linknet", "LinkNet", "Chaurasia and Culurciello 2017", _arxiv("1707.03718")
    ),
    "hrnet": Architecture("hrnet", "HRNet", "Wang et al. 2020", _arxiv("1908.07919")),
    "halite": Architecture(
        "halite", "Halite", "Ronneberger et al. 2015, Roy et al. 2018", _arxiv("1803.02579")
    ),
}
"""Every architecture by its name."""


def build(
    config: ModelConfig | str,
    *,
    pretrained: bool = False,
    module: nn.Module | None = None,
    size: int = 224,
) -> Network:
    """A newly initialised network; the caller seeds torch.

    Args:
        config: the settings of the architecture, or its name for the usual ones.
        pretrained: load the weights `config.weights`. Not needed for a network whose own weights
            are loaded next.
        module: the module of an architecture that is not diapir's, where the caller has it.
        size: height and width of its images, for a trial of such a module.

    Raises:
        ConfigError: the weights are unavailable or do not fit, or there is no such architecture.
    """
    if isinstance(config, str):
        section = ARCHITECTURES.get(config)
        settings: Any = OtherConfig(name=config) if section is None else section()
    else:
        settings = config
    if isinstance(settings, OtherConfig):
        from diapir.models.custom import build_other

        return build_other(settings, module, size)
    network = REGISTRY[settings.name].load()(settings)
    network.settings = settings
    if pretrained:
        load_pretrained(network, settings)
    return network


def load_pretrained(network: Network, config: ModelConfig) -> None:
    """Load the weights `config.weights` into a network of this configuration.

    Raises:
        ConfigError: the weights are unavailable or do not fit.
    """
    weights = getattr(config, "weights", "none")
    if weights == "none":
        return
    if network.torchvision_name is not None and weights != "imagenet":
        from diapir.models.coco import load_coco

        if load_coco(network, weights):
            return
    from diapir.models.pretrained import load_encoder

    load_encoder(network, weights)


def parameter_count(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


__all__ = [
    "REGISTRY",
    "Architecture",
    "Network",
    "Outputs",
    "build",
    "check_images",
    "check_size",
    "load_pretrained",
    "parameter_count",
]
