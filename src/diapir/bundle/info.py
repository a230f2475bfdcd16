"""The content of `bundle.json`."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from diapir.architectures import ModelConfig, Section
from diapir.config import PreprocessConfig

Tta = Literal["none", "flip"]
"""Test-time augmentation: none, or the mean over an image and its mirror image."""

Form = Literal["onnx", "openvino"]
"""Formats that a network can be exported to."""

FileName = Annotated[str, Field(pattern=r"^model\.(onnx|xml|bin)$")]
"""A file in the bundle's own folder."""


class Parity(Section):
    """Differences between an exported network and its original, measured on tiles."""

    reference: str
    """Engine that ran the original network."""
    data: str
    """Name of the tiles."""
    tiles: int = Field(ge=1)
    pixels: int = Field(ge=1)
    """Pixels of these tiles without padding; the differences below are over them."""
    logit: float = Field(ge=0)
    """Largest difference in a logit."""
    probability: float = Field(ge=0)
    """Largest difference in a probability of salt."""
    flipped: int = Field(ge=0)
    """Pixels that change sides of the threshold."""


class Export(Section):
    """A network in a format that runs without PyTorch."""

    form: Form
    files: dict[FileName, str] = Field(min_length=1)
    """SHA-256 of each file by its name; engines open the first."""
    half: bool
    """Whether the weights are stored as float16; all arithmetic is float32."""
    any_size: bool
    """Whether it takes any height and width that are multiples of the network's divisor, or only
    `preprocess.size`."""
    parity: Parity


class BundleInfo(Section):
    """The content of `bundle.json`."""

    format: Literal[1] = 1
    name: str
    model: ModelConfig
    preprocess: PreprocessConfig
    tile: int | None = Field(default=None, ge=1)
    """Longest side in pixels of the training tiles. Larger images are cut into windows of this
    size, padded like those tiles; None cuts windows of the network's input size."""
    windows: tuple[int, ...] = ()
    """Heights and widths in pixels of the windows of sections it was trained on, beside tiles."""
    section_window: int | None = Field(default=None, ge=16)
    """Side in pixels of the windows that sections are cut into, where it was chosen by measurement;
    None: as `section_size` says."""
    classes: tuple[str, ...] = ("background", "salt")
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """A pixel with at least this probability of salt is predicted as salt."""
    tta: Tta = "none"
    """Test-time augmentation: `flip` averages an image's and its mirror image's probabilities."""
    min_area: int = Field(default=0, ge=0)
    """Minimum component size in pixels; smaller connected components of salt are removed."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Metrics by key, with `data`: name, part and hash of the tiles they were measured on."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Recipe name, seed, epoch, data hash and split hash of the training. A mean of several models
    has these of each under `mean of`."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str
    """SHA-256 of the trained weights. Exports keep it, so it identifies the network."""
    export: Export | None = None
    """The exported network; None where the bundle holds the weights."""

    @property
    def trainings(self) -> list[dict[str, Any]]:
        """The training, or those of all models of a mean."""
        members = self.training.get("mean of")
        return members if isinstance(members, list) else [self.training]

    @property
    def form(self) -> Literal["weights", "onnx", "openvino"]:
        """Format of the network in the bundle."""
        return "weights" if self.export is None else self.export.form

    @property
    def window(self) -> int:
        """Longest side in pixels of an image that is predicted like a training tile."""
        return min(self.tile or self.preprocess.size, self.preprocess.size)

    @property
    def window_sizes(self) -> tuple[int, ...]:
        """Sides in pixels of the windows of sections it was trained on; empty: tiles only.

        Bundles written before sizes were recorded only say that there were windows; they are taken
        to be as large as the network's input.
        """
        if self.windows or not all("windows" in training for training in self.trainings):
            return self.windows
        return (self.preprocess.size,)

    @property
    def section_size(self) -> int:
        """Side in pixels of the windows that sections are cut into.

        A model that was trained on windows of sections gets windows that fill the network's input,
        so that nothing is padded inside a section. Larger ones are cheaper, but a network that
        pools over its window then sees more at once than in most of its training. A model that was
        trained on tiles alone gets windows of their size, padded like them.
        """
        chosen = self.section_window or max(self.window, *self.window_sizes, 0)
        if self.section_window and self.takes_any_size:
            return chosen
        return min(chosen, self.preprocess.size)

    @property
    def takes_any_size(self) -> bool:
        """Whether the network accepts inputs larger than `preprocess.size`."""
        return self.export is None or self.export.any_size

    @property
    def input_step(self) -> int:
        """Sides of the network's input are multiples of this, which the divisor divides."""
        levels, stem = getattr(self.model, "levels", 5), getattr(self.model, "stem_stride", 2)
        return math.gcd(self.preprocess.size, max(32, 2**levels * stem // 2))
