"""The settings of every architecture, by the name the registry knows it by."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A frozen section of a recipe that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Width = Annotated[int, Field(ge=1, le=1024)]
Levels = Annotated[int, Field(ge=1, le=6)]
Encoder = Annotated[str, Field(min_length=1)]
"""Name of a timm model, such as `resnet34` or `tf_efficientnet_lite0`."""
Weights = Annotated[str, Field(min_length=1)]
"""`imagenet`, `none`, or the path of a weights file (safetensors) for the encoder."""
Freeze = Annotated[int, Field(ge=0, le=6)]
"""Number of the encoder's first stages (the stem is one) that are not trained."""


class UNetConfig(Section):
    """U-Net of the seed (Ronneberger et al. 2015): no batch norm, ReLU."""

    name: Literal["unet"] = "unet"
    base: Width = 64
    """Channels of the first level; doubled at each level."""
    levels: Levels = 4
    """Number of halvings; height and width must be multiples of 2**levels."""


class ImprovedUNetConfig(Section):
    """U-Net with switches: batch norm, dropout, activation, attention on the skips."""

    name: Literal["improved_unet"] = "improved_unet"
    base: Width = 64
    levels: Levels = 4
    batch_norm: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of channels dropped after each encoder block; the decoder drops half as many."""
    activation: Literal["relu", "leaky_relu", "elu", "silu"] = "leaky_relu"
    attention: bool = True
    """Spatial attention on each skip."""


class EncoderConfig(Section):
    """What architectures on an encoder of timm have in common."""

    encoder: Encoder
    weights: Weights = "none"
    freeze: Freeze = 0


class ResNetUNetConfig(EncoderConfig):
    """U-Net decoder with batch norm on a ResNet, skips from the stem and each stage."""

    name: Literal["resnet_unet"] = "resnet_unet"
    encoder: Encoder = "resnet18"


class DeepLabV3PlusConfig(EncoderConfig):
    """DeepLabV3+ (Chen et al. 2018): atrous pyramid and low-level decoder."""

    name: Literal["deeplabv3plus"] = "deeplabv3plus"
    encoder: Encoder = "resnet50"


class PSPNetConfig(EncoderConfig):
    """PSPNet (Zhao et al. 2017): pyramid pooling of 1, 2, 3 and 6 bins."""

    name: Literal["pspnet"] = "pspnet"
    encoder: Encoder = "resnet50"


class LinkNetConfig(EncoderConfig):
    """LinkNet (Chaurasia and Culurciello 2017): skips are added."""

    name: Literal["linknet"] = "linknet"
    encoder: Encoder = "resnet18"


class HRNetConfig(EncoderConfig):
    """HRNet (Wang et al. 2020): four resolutions side by side, all of them in the head."""

    name: Literal["hrnet"] = "hrnet"
    encoder: Encoder = "hrnet_w48"


class DeepLabV3Config(Section):
    """DeepLabV3 (Chen et al. 2017) of torchvision on ResNet-50."""

    name: Literal["deeplabv3"] = "deeplabv3"
    weights: Weights = "none"


class FCNConfig(Section):
    """FCN (Long et al. 2015) of torchvision on ResNet-50."""

    name: Literal["fcn"] = "fcn"
    weights: Weights = "none"


class SegNetConfig(Section):
    """SegNet (Badrinarayanan et al. 2017): VGG16-BN, unpooling with the stored indices."""

    name: Literal["segnet"] = "segnet"
    weights: Weights = "none"


class HaliteConfig(EncoderConfig):
    """Halite, the flagship: a light encoder and a lean decoder."""

    name: Literal["halite"] = "halite"
    encoder: Encoder = "tf_efficientnet_lite0"
    levels: Annotated[int, Field(ge=2, le=5)] = 5
    """Stages of the encoder that are used; height and width must be multiples of 2**levels (of half
    or twice as much as `stem_stride` is 1 or 4)."""
    widths: tuple[Width, ...] = (96, 64, 48, 32)
    """Channels of the decoder from its coarsest block on; one block fewer than `levels`."""
    finest: Width | None = None
    """Channels of a further block, at the resolution of what the encoder is given, which it sees;
    null enlarges the logits to it instead."""
    scse: bool = True
    """Squeeze and excitation of channels and places (Roy et al., arXiv 1803.02579)."""
    hypercolumn: bool = True
    """The head sees every block of the decoder (Hariharan et al., arXiv 1411.5752)."""
    stem_stride: Literal[1, 2, 4] = 2
    """1 keeps full resolution one stage longer, at four times the cost; 4 halves the images first,
    at a quarter of it."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of channels dropped before the head."""

    @model_validator(mode="after")
    def _blocks_fit(self) -> HaliteConfig:
        if len(self.widths) != self.levels - 1:
            raise ValueError(
                f"widths must be {self.levels - 1} numbers, one fewer than levels, "
                f"found {len(self.widths)}"
            )
        if self.finest and self.stem_stride == 1:
            raise ValueError("finest must be null with a stem_stride of 1, which is as fine")
        return self


ModelConfig = Annotated[
    UNetConfig
    | ImprovedUNetConfig
    | ResNetUNetConfig
    | DeepLabV3PlusConfig
    | DeepLabV3Config
    | FCNConfig
    | PSPNetConfig
    | SegNetConfig
    | LinkNetConfig
    | HRNetConfig
    | HaliteConfig,
    Field(discriminator="name"),
]

ARCHITECTURES: dict[str, type[Section]] = {
    section.model_fields["name"].default: section for section in get_args(get_args(ModelConfig)[0])
}
"""The settings of each architecture by its name."""
