"""What `bundle.json` says of a model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from diapir.architectures import ModelConfig, Section
from diapir.config import PreprocessConfig

Tta = Literal["none", "flip"]
"""Test-time augmentation: what of an image is predicted and averaged."""


Form = Literal["onnx", "openvino"]
"""What a network can be exported to."""


FileName = Annotated[str, Field(pattern=r"^model\.(onnx|xml|bin)$")]
"""A file in the bundle's own folder."""


class Parity(Section):
    """How closely an exported network follows the one it was made from, measured on tiles."""

    reference: str
    """Engine that ran the network it was made from."""
    data: str
    """Name of the tiles."""
    tiles: int = Field(ge=1)
    pixels: int = Field(ge=1)
    """Of these tiles, padding left out; the differences below are over them."""
    logit: float = Field(ge=0)
    """Greatest difference of a logit."""
    probability: float = Field(ge=0)
    """Greatest difference of a probability of salt."""
    flipped: int = Field(ge=0)
    """Pixels that fall on the other side of the threshold."""


class Export(Section):
    """The network in the form that another engine than PyTorch runs."""

    form: Form
    files: dict[FileName, str] = Field(min_length=1)
    """SHA-256 of each file by its name; the first is the one that is opened."""
    half: bool
    """Whether its weights are stored as float16; all arithmetic is float32."""
    any_size: bool
    """Whether it takes any height and width that are multiples of the network's divisor; else
    `preprocess.size` alone."""
    parity: Parity


class BundleInfo(Section):
    """The content of `bundle.json`."""

    format: Literal[1] = 1
    name: str
    model: ModelConfig
    preprocess: PreprocessConfig
    tile: int | None = Field(default=None, ge=1)
    """Longest side in pixels of the tiles it learnt from. Larger images are cut into windows of
    this size, padded as those tiles were; None cuts windows of the network's input size."""
    classes: tuple[str, ...] = ("background", "salt")
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """Probability of salt from which a pixel counts as salt."""
    tta: Tta = "none"
    """`flip` averages the probabilities of an image and of its mirror image."""
    min_area: int = Field(default=0, ge=0)
    """Pixels: connected salt of fewer than this is taken for background."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Metrics of the design with `data`, the name, part and hash of what they were measured on."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Recipe name, seed, epoch, data hash and split hash of the training; of several models as one
    these of each, under `mean of`."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str
    """Of the weights as they were trained, which an export keeps: it says whose network it is."""
    export: Export | None = None
    """The form in which the bundle holds its network; None for the weights themselves."""

    @property
    def trainings(self) -> list[dict[str, Any]]:
        """The training, or those of all models that this is the mean of."""
        members = self.training.get("mean of")
        return members if isinstance(members, list) else [self.training]

    @property
    def form(self) -> Literal["weights", "onnx", "openvino"]:
        """The form in which the bundle holds its network."""
        return "weights" if self.export is None else self.export.form

    @property
    def window(self) -> int:
        """Side in pixels of the windows that larger images are cut into."""
        return min(self.tile or self.preprocess.size, self.preprocess.size)
