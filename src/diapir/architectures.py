"""The settings of every architecture, by its name in the registry, and their costs."""

from __future__ import annotations

import json
from importlib import resources
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from diapir.errors import ConfigError


class Section(BaseModel):
    """A frozen section of a recipe that refuses unknown keys."""

    # schemas of sections that a command does not read are not built; the strings below fields are
    # read by `config.reference`, as pydantic would parse the source of each section at each import
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to change a key in place: a run, its bundle and its report share one recipe.

        Raises:
            ConfigError: always, saying how to make a changed copy.
        """
        if name in type(self).model_fields:
            raise ConfigError(
                f"{name} = {value!r} assigned to a recipe, which cannot be changed in place",
                expected="a new recipe with the change",
                fix=f'diapir.load_recipe(recipe, {{"section.{name}": {value!r}}}), or give '
                "diapir.train the same as overrides=",
            )
        super().__setattr__(name, value)


# Descriptions stand here where several architectures share a setting, else below the field.
Width = Annotated[int, Field(ge=1, le=1024)]
Base = Annotated[
    int,
    Field(ge=1, le=1024, description="Channels of the first level; doubled at each level."),
]
Levels = Annotated[
    int,
    Field(
        ge=1,
        le=6,
        description="Number of halvings; height and width must be multiples of 2**levels.",
    ),
]
Encoder = Annotated[
    str,
    Field(
        min_length=1,
        description="Name of a timm model, such as `resnet34` or `tf_efficientnet_lite0`.",
    ),
]
Weights = Annotated[
    str,
    Field(
        min_length=1,
        description="Pretrained weights of the encoder: `imagenet`, `none`, or the path of a "
        "weights file (safetensors).",
    ),
]
Freeze = Annotated[
    int,
    Field(
        ge=0,
        le=6,
        description="Number of the encoder's first stages (including the stem) that are frozen.",
    ),
]


class ArchitectureConfig(Section):
    """Settings of an architecture; each has a `name` in recipes and a `title` on pages."""

    title: ClassVar[str]


class UNetConfig(ArchitectureConfig):
    """Plain U-Net (Ronneberger et al. 2015): no batch norm, ReLU."""

    title: ClassVar[str] = "U-Net"
    name: Literal["unet"] = "unet"
    base: Base = 64
    levels: Levels = 4


class ImprovedUNetConfig(ArchitectureConfig):
    """U-Net with options: batch norm, dropout, activation, attention on the skip connections."""

    title: ClassVar[str] = "Improved U-Net"
    name: Literal["improved_unet"] = "improved_unet"
    base: Base = 64
    levels: Levels = 4
    batch_norm: bool = True
    """Batch norm after each convolution."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Dropout rate of channels after each encoder block; half of it in the decoder."""
    activation: Literal["relu", "leaky_relu", "elu", "silu"] = "leaky_relu"
    """Activation after each convolution."""
    attention: bool = True
    """Spatial attention on each skip connection."""


class EncoderConfig(ArchitectureConfig):
    """Settings that all architectures on a timm encoder share."""

    encoder: Encoder
    weights: Weights = "none"
    freeze: Freeze = 0


class ResNetUNetConfig(EncoderConfig):
    """U-Net decoder with batch norm on a ResNet, with skip connections from stem and stages."""

    title: ClassVar[str] = "ResNet U-Net"
    name: Literal["resnet_unet"] = "resnet_unet"
    encoder: Encoder = "resnet18"


class DeepLabV3PlusConfig(EncoderConfig):
    """DeepLabV3+ (Chen et al. 2018): atrous spatial pyramid pooling and low-level features."""

    title: ClassVar[str] = "DeepLabV3+"
    name: Literal["deeplabv3plus"] = "deeplabv3plus"
    encoder: Encoder = "resnet50"


class PSPNetConfig(EncoderConfig):
    """PSPNet (Zhao et al. 2017): pyramid pooling of 1, 2, 3 and 6 bins."""

    title: ClassVar[str] = "PSPNet"
    name: Literal["pspnet"] = "pspnet"
    encoder: Encoder = "resnet50"


class LinkNetConfig(EncoderConfig):
    """LinkNet (Chaurasia and Culurciello 2017): adds skip connections."""

    title: ClassVar[str] = "LinkNet"
    name: Literal["linknet"] = "linknet"
    encoder: Encoder = "resnet18"


class HRNetConfig(EncoderConfig):
    """HRNet (Wang et al. 2020): four parallel resolutions, all used by the head."""

    title: ClassVar[str] = "HRNet"
    name: Literal["hrnet"] = "hrnet"
    encoder: Encoder = "hrnet_w48"


class DeepLabV3Config(ArchitectureConfig):
    """DeepLabV3 (Chen et al. 2017) on ResNet-50, from torchvision."""

    title: ClassVar[str] = "DeepLabV3"
    name: Literal["deeplabv3"] = "deeplabv3"
    weights: Weights = "none"


class FCNConfig(ArchitectureConfig):
    """FCN (Long et al. 2015) on ResNet-50, from torchvision."""

    title: ClassVar[str] = "FCN"
    name: Literal["fcn"] = "fcn"
    weights: Weights = "none"


class SegNetConfig(ArchitectureConfig):
    """SegNet (Badrinarayanan et al. 2017): VGG16-BN, unpooling with stored indices."""

    title: ClassVar[str] = "SegNet"
    name: Literal["segnet"] = "segnet"
    weights: Weights = "none"


class HaliteConfig(EncoderConfig):
    """Halite, the flagship: a light encoder and a small decoder."""

    title: ClassVar[str] = "Halite"
    name: Literal["halite"] = "halite"
    encoder: Encoder = "tf_efficientnet_lite0"
    levels: Annotated[int, Field(ge=2, le=5)] = 5
    """Number of encoder stages used. Height and width must be multiples of 2**levels (of half or
    twice as much with a `stem_stride` of 1 or 4)."""
    widths: tuple[Width, ...] = (96, 64, 48, 32)
    """Channels of the decoder blocks, coarsest first; one fewer than `levels`."""
    finest: Width | None = None
    """Channels of an additional block at the resolution of the encoder's input, which is its skip
    connection; null upsamples the logits instead."""
    scse: bool = True
    """Spatial and channel squeeze and excitation (Roy et al., arXiv 1803.02579)."""
    hypercolumn: bool = True
    """Hypercolumns: the head uses every decoder block (Hariharan et al., arXiv 1411.5752)."""
    stem_stride: Literal[1, 2, 4] = 2
    """1 keeps the full resolution for one more stage, at four times the cost; 4 halves the images
    first, at a quarter of the cost."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout rate of channels before the head."""

    @model_validator(mode="after")
    def _blocks_fit(self) -> HaliteConfig:
        if len(self.widths) != self.levels - 1:
            raise ValueError(
                f"widths must be {self.levels - 1} numbers, one fewer than levels, "
                f"found {len(self.widths)}"
            )
        if self.finest and self.stem_stride == 1:
            raise ValueError("finest must be null with a stem_stride of 1")
        return self


class OtherConfig(ArchitectureConfig):
    """Settings of a network that is not one of diapir's; further keys are those of its class.

    `name` is that of an entry point in the group `ENTRY_POINTS`, or `CUSTOM` for a module that was
    given from Python, of which `module` records the class.
    """

    model_config = ConfigDict(extra="allow")
    title: ClassVar[str] = "custom network"
    name: str
    divisor: Annotated[int, Field(ge=1)] | None = None
    """Height and width must be multiples of this; found when it is trained."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of the class."""
        return dict(self.model_extra or {})


CUSTOM = "custom"
"""Name of the architecture of a module that was given from Python."""
ENTRY_POINTS = "diapir.architectures"
"""Group of entry points by which installed packages add architectures."""
_OTHER = "other"


def _tag(section: Any) -> str | None:
    if not isinstance(section, dict | BaseModel):
        return "unet"  # whose error says that it is no section
    name = section.get("name") if isinstance(section, dict) else getattr(section, "name", None)
    if not isinstance(name, str):  # missing, or a mistake that any section names
        return None if name is None else "unet"
    return name if name in ARCHITECTURES else _OTHER


ModelConfig = Annotated[
    Annotated[UNetConfig, Tag("unet")]
    | Annotated[ImprovedUNetConfig, Tag("improved_unet")]
    | Annotated[ResNetUNetConfig, Tag("resnet_unet")]
    | Annotated[DeepLabV3PlusConfig, Tag("deeplabv3plus")]
    | Annotated[DeepLabV3Config, Tag("deeplabv3")]
    | Annotated[FCNConfig, Tag("fcn")]
    | Annotated[PSPNetConfig, Tag("pspnet")]
    | Annotated[SegNetConfig, Tag("segnet")]
    | Annotated[LinkNetConfig, Tag("linknet")]
    | Annotated[HRNetConfig, Tag("hrnet")]
    | Annotated[HaliteConfig, Tag("halite")]
    | Annotated[OtherConfig, Tag(_OTHER)],
    Discriminator(_tag),
]

ARCHITECTURES: dict[str, type[ArchitectureConfig]] = {
    section.model_fields["name"].default: section
    for section, _ in map(get_args, get_args(get_args(ModelConfig)[0]))
    if section is not OtherConfig
}
"""The settings of each architecture of diapir by its name."""


def installed_architectures() -> dict[str, EntryPoint]:
    """Entry points of architectures that installed packages add, by name; none is loaded.

    A name of diapir's own architectures stands for that one.
    """
    found = entry_points(group=ENTRY_POINTS)
    return {one.name: one for one in found if one.name not in (*ARCHITECTURES, CUSTOM)}


def is_architecture(name: str) -> bool:
    """Whether a network of this name can be built, or was given from Python."""
    return name in ARCHITECTURES or name == CUSTOM or name in installed_architectures()


TABLE = "architectures.json"
"""File beside this one, written by docs/make_models.py, so that no network has to be built."""


def published() -> dict[str, Any]:
    """The cost and the paper of each architecture with its default settings.

    Returns:
        `size`: height and width in pixels of the image that MACs are counted for; `models`: for
        each `name` its `parameters`, `multiply_adds` (MACs), `divisor`, `encoder`, `paper`, `link`.
    """
    table: dict[str, Any] = json.loads(
        resources.files("diapir").joinpath(TABLE).read_text(encoding="utf-8")
    )
    return table
