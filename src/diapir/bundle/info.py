"""The content of `bundle.json`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from diapir.architectures import ModelConfig, OtherConfig, Section
from diapir.bundle.fingerprints import Fingerprints, TunedOn
from diapir.config import PreprocessConfig

Tta = Literal["none", "flip"]
"""Test-time augmentation: none, or the mean over an image and its mirror image."""

Form = Literal["onnx", "openvino"]
"""Formats that a network can be exported to."""

FileName = Annotated[str, Field(pattern=r"^model\.(onnx|xml|bin)$")]
"""A file in the bundle's own folder."""

VERTICAL_SCALE = "vertical scale"
"""Key of a training that rescaled images: the smallest and the largest vertical factor."""

FIRST_ZERO = "first zero"
"""Key of a training on images of another wavelet length than TGS: the median first zero of their
vertical autocorrelation in samples."""


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
    mean: float | None = Field(default=None, ge=0)
    """Mean difference in a probability of salt; None where it was not recorded."""
    flipped: int = Field(ge=0)
    """Pixels that change sides of the threshold."""


class Export(Section):
    """A network in a format that runs without PyTorch."""

    form: Form
    files: dict[FileName, str] = Field(min_length=1)
    """SHA-256 of each file by its name; engines open the first."""
    half: bool
    """Whether the weights are stored as float16; all arithmetic is float32."""
    int8: bool = False
    """Whether its convolutions are in 8-bit integers."""
    any_size: bool
    """Whether it takes any height and width that are multiples of the network's divisor, or only
    `preprocess.size`."""
    parity: Parity
    bf16: Parity | None = None
    """Differences between the exported network in bfloat16 and in float32; None: not measured."""


class SurveySettings(Section):
    """How sections of the survey that a model was adapted to are shown to the network."""

    vertical: float = Field(default=1.0, gt=0)
    """Factor by which traces are resampled; above 1 there are more samples."""
    horizontal: float = Field(default=1.0, gt=0)
    """Factor by which the number of traces is resampled."""
    clip: float | None = Field(default=None, gt=0)
    """Amplitude that is clipped to full white; None for pictures, which are grey already."""


class Weights(Section):
    """Trainable weights beside an exported network, in `model.safetensors`."""

    sha256: str
    """SHA-256 of the file."""
    half: bool
    """Whether large tensors are stored as float16."""


FORMATS = (1, 2)
"""Formats of bundles that this diapir reads. Format 1 holds either weights or an exported network,
format 2 an exported network with the weights that training starts from."""


class BundleInfo(Section):
    """The content of `bundle.json`."""

    format: Literal[1, 2] = 1
    """One of `FORMATS`, the lowest that can say what the bundle holds."""
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
    survey: SurveySettings | None = None
    """Settings of the survey that the model was adapted to; predictions use them by default."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """Metrics by key, with `data`: name, part and hash of the tiles they were measured on. Those
    of tiles inside their sections are under `in_sections`: `dice`, `kaggle_map`, `flips` (share of
    pixels that change class when the windows are shifted), `n_tiles`, `n_sections`, `ci95`."""
    training: dict[str, Any] = Field(default_factory=dict)
    """Recipe name, seed, epoch, data hash and split hash of the training. A mean of several models
    has these of each under `mean of`."""
    versions: dict[str, str] = Field(default_factory=dict)
    weights_sha256: str
    """SHA-256 of the trained weights. Exports keep it, so it identifies the network."""
    export: Export | None = None
    """The exported network; None where the bundle holds the weights only."""
    weights: Weights | None = None
    """Trainable weights beside the exported network; None without an exported network, whose place
    they then take, and for an exported network alone."""
    training_tiles: Fingerprints | None = None
    """Which tiles the model, and every model it was made from, was trained on; None in bundles from
    before this was recorded. Sections are not recorded."""
    tuned: tuple[TunedOn, ...] = ()
    """What its threshold and minimum component size were tuned on."""

    @model_validator(mode="after")
    def _check_format(self) -> BundleInfo:
        if (self.format == 2) != (self.weights is not None and self.export is not None):
            raise ValueError("format 2 is that of an export with weights, and of no other bundle")
        return self

    @field_validator("preprocess")
    @classmethod
    def _check_preprocess(cls, preprocess: PreprocessConfig) -> PreprocessConfig:
        if preprocess.size == "auto":
            raise ValueError("preprocess.size should be a number of pixels")
        return preprocess

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, metrics: dict[str, Any]) -> dict[str, Any]:
        """Refuse metrics that the card and `diapir models` could not show."""
        _check_measured(metrics)
        block = metrics.get("in_sections")
        if block:
            alone = block.get("alone") if isinstance(block, dict) else None
            _check_measured(alone, "dice", "kaggle_map")
            whole = [key for key, value in (alone or {}).items() if isinstance(value, float)]
            _check_measured(block, "flips", "n_tiles", "n_sections", *whole)
        return metrics

    @field_validator("training")
    @classmethod
    def _check_training(cls, training: dict[str, Any]) -> dict[str, Any]:
        members = training.get("mean of", [])
        if isinstance(members, list) and not all(isinstance(one, dict) for one in members):
            raise ValueError("'mean of' lists something that is no training")
        return training

    @property
    def trainable(self) -> bool:
        """Whether the bundle holds weights that PyTorch can run and train."""
        return self.export is None or self.weights is not None

    @property
    def trainings(self) -> list[dict[str, Any]]:
        """The training, or those of all models of a mean."""
        members = self.training.get("mean of")
        return members if isinstance(members, list) else [self.training]

    @property
    def vertical_scale(self) -> tuple[float, float]:
        """Vertical scales that all trainings rescaled images by, smallest and largest.

        (1, 1) where one did not, or does not say.
        """
        ranges = [training.get(VERTICAL_SCALE, (1.0, 1.0)) for training in self.trainings]
        try:
            low = max(min(1.0, float(smallest)) for smallest, _ in ranges)
            high = min(max(1.0, float(largest)) for _, largest in ranges)
        except (TypeError, ValueError):  # written by other hands
            return 1.0, 1.0
        return low, high

    @property
    def first_zero(self) -> float | None:
        """Wavelet length that all trainings recorded, as a mean; None where one did not."""
        found = [training.get(FIRST_ZERO) for training in self.trainings]
        known = [float(one) for one in found if isinstance(one, int | float) and one > 0]
        return sum(known) / len(known) if known and len(known) == len(found) else None

    @property
    def form(self) -> Literal["weights", "onnx", "openvino"]:
        """Format of the network that is run by default."""
        return "weights" if self.export is None else self.export.form

    @property
    def window(self) -> int:
        """Longest side in pixels of an image that is predicted like a training tile."""
        return min(self.tile or self.preprocess.side, self.preprocess.side)

    @property
    def window_sizes(self) -> tuple[int, ...]:
        """Sides in pixels of the windows of sections it was trained on; empty: tiles only.

        Bundles written before sizes were recorded only say that there were windows; they are taken
        to be as large as the network's input.
        """
        if self.windows or not all("windows" in training for training in self.trainings):
            return self.windows
        return (self.preprocess.side,)

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
        return min(chosen, self.preprocess.side)

    @property
    def takes_any_size(self) -> bool:
        """Whether the network accepts inputs larger than `preprocess.size`."""
        return self.export is None or self.export.any_size

    @property
    def input_step(self) -> int:
        """Sides of the network's input are multiples of this, which the divisor divides."""
        if isinstance(self.model, OtherConfig):
            return self.model.divisor or self.preprocess.side
        levels, stem = getattr(self.model, "levels", 5), getattr(self.model, "stem_stride", 2)
        return math.gcd(self.preprocess.side, max(32, 2**levels * stem // 2))


def all_tuned(infos: Iterable[BundleInfo]) -> tuple[TunedOn, ...]:
    """What any of several models was tuned on, each once."""
    return tuple({tuned.tiles.tiles: tuned for info in infos for tuned in info.tuned}.values())


def _check_measured(metrics: Any, *needed: str) -> None:
    """Check that metrics are numbers by key, with the interval of each that has one."""
    if not isinstance(metrics, dict):
        raise ValueError("metrics should be an object")
    for key in needed:
        if not isinstance(metrics.get(key), int | float):
            raise ValueError(f"{key} should be a number")
    for key in ("ci95", "data"):
        if not isinstance(metrics.get(key, {}), dict):
            raise ValueError(f"{key} should be an object")
    for key, interval in metrics.get("ci95", {}).items():
        ends = interval if isinstance(interval, list | tuple) else ()
        if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
            raise ValueError(f"the interval of {key} should be two numbers")
