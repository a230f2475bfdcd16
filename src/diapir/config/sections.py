"""Every key of a recipe: its type, range and default. Models are frozen and refuse unknown keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import yaml
from pydantic import Field, model_validator

from diapir.architectures import ModelConfig, Section, UNetConfig
from diapir.choices import DeviceName, MaskEncoding

IGNORE = 255
"""Mask value of pixels that are ignored in losses and metrics."""

Fraction = Annotated[float, Field(ge=0, le=1)]
WindowShare = Annotated[float, Field(ge=0, le=0.45)]
WindowSize = Annotated[int, Field(ge=16, le=4096)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""A number of epochs, steps or tiles: what any run can need, and no typing error beyond it."""
Scale = Annotated[float, Field(ge=0.1, le=10)]
ScaleRange = tuple[Scale, Scale]


class Reading(TypedDict):
    """How labelled tiles are read: keywords of `diapir.load_tiles`."""

    encoding: MaskEncoding | Literal["auto"]
    skip_bad: bool
    groups: str | None


class DataConfig(Section):
    """The labelled tiles and how they are split."""

    mask_encoding: MaskEncoding | Literal["auto"] = "auto"
    """How masks store salt; `auto` recognises it from the values of the whole set."""
    split: str | None = None
    """A split.json (parts train and val, or folds); null makes a new split."""
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of the split, apart from the run's, so that runs with other seeds share a split."""
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of the tiles in the validation part of a new split."""
    folds: Annotated[int, Field(ge=2, le=1_000_000)] | None = None
    """Number of folds, for a k-fold split instead of `val_fraction`."""
    fold: Annotated[int, Field(ge=0)] = 0
    """Index of the fold that is the validation part."""
    skip_bad: bool = False
    """Skip tiles that cannot be read, instead of refusing the data set."""
    groups: str | None = None
    """A groups.csv (`id,group`) of `diapir data mosaic`; a split never divides a group. Null takes
    the one in `mosaic`."""
    extra: str | None = None
    """Further labelled tiles (any layout), such as pseudo-labels, for training only."""
    use_all: bool = False
    """Train on the validation part as well, for a final model; its validation score is then not a
    held-out score."""
    mosaic: str | None = None
    """A folder of `diapir data mosaic`: windows of its sections are added to the training tiles.
    Only the labels of training tiles are used; other pixels are context."""
    mosaic_share: WindowShare = 0.4
    """Share of windows of `mosaic` in an epoch's images."""
    synthetic: tuple[str, ...] = ()
    """Folders of `diapir data synth`: windows of their sections are added to the training tiles."""
    synthetic_share: WindowShare = 0.2
    """Share of windows of `synthetic` in an epoch's images."""
    window_sizes: tuple[WindowSize, ...] = ()
    """Heights and widths of windows in pixels; each step draws one. Empty takes the tile size."""
    window_labelled: Fraction = 0.25
    """Least labelled share of a window, where such a position can be found."""
    seam_ignored: Annotated[int, Field(ge=0, le=4096)] = 0
    """Pixels beside a seam of `mosaic` that are ignored where background adjoins salt of the
    neighbouring tile along the seam; 0 for none, the tile's side for the whole tile."""

    def reading(self) -> Reading:
        """How the tiles are read: `load_tiles(path, **config.data.reading())`."""
        return {
            "encoding": self.mask_encoding,
            "skip_bad": self.skip_bad,
            "groups": self.groups,
        }

    @model_validator(mode="before")
    @classmethod
    def _groups_of_the_mosaic(cls, values: Any) -> Any:
        """Take the groups of the mosaic: its windows show several tiles of a group at once."""
        if isinstance(values, dict) and isinstance(values.get("mosaic"), str):
            groups = values.get("groups") or str(Path(values["mosaic"]) / "groups.csv")
            return values | {"groups": groups}
        return values

    @model_validator(mode="after")
    def _fold_exists(self) -> DataConfig:
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold must be below folds ({self.folds}), found {self.fold}")
        return self


class PreprocessConfig(Section):
    """How a tile becomes the network's input; saved in the bundle as well."""

    size: Annotated[int, Field(ge=16, le=4096)] = 224
    """Height and width in pixels of the network's input; smaller tiles are padded to it."""
    pad: Literal["zero", "reflect", "edge"] = "zero"
    """How images are padded, before normalisation; masks are always padded with 255."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Subtracted from images in [0, 1], a number for each channel; those of ImageNet by default."""
    std: Annotated[
        tuple[
            Annotated[float, Field(gt=0)],
            Annotated[float, Field(gt=0)],
            Annotated[float, Field(gt=0)],
        ],
        Field(),
    ] = (0.229, 0.224, 0.225)
    """Images are divided by it, a number for each channel; those of ImageNet by default."""


class AugmentConfig(Section):
    """Augmentation of training tiles; by default there is none."""

    flip: Literal["none", "random", "alternate"] = "none"
    """Horizontal flip: at random, or every second epoch. Never vertical: depth has a direction."""
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest shift in either direction, as a share of the tile's side."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest zoom; the factor is between 1 / (1 + scale) and 1 + scale."""
    stretch: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest stretch of the vertical axis; the factor is drawn as that of `scale`."""
    rotate: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Largest rotation in degrees, in either direction."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest shift of the grey values, as a share of their range."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest change of contrast about the tile's mean; the factor is drawn as that of `scale`."""
    polarity: Fraction = 0.0
    """Share of tiles whose polarity is reversed."""
    cutout: Fraction = 0.0
    """Share of tiles with a grey rectangle (cutout); the mask is not changed."""
    rescale: Fraction = 0.0
    """Share of images that are rescaled as `vertical_scale` and `horizontal_scale` say, in addition
    to `scale` and `stretch`, because surveys differ in sampling."""
    vertical_scale: ScaleRange = (0.25, 1.5)
    """Smallest and largest factor by which `rescale` changes the height of an image."""
    horizontal_scale: ScaleRange = (0.5, 1.5)
    """Smallest and largest factor by which `rescale` changes the width, drawn independently."""
    gamma: Annotated[float, Field(ge=0, lt=3)] = 0.0
    """Gamma correction of the grey values: an exponent between 1 / (1 + gamma) and 1 + gamma."""
    clip: Fraction = 0.0
    """Share of images whose darkest and brightest grey values are clipped and the rest stretched to
    the whole range."""
    phase: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest phase rotation of the traces in degrees, in either direction."""
    lowpass: Fraction = 0.0
    """Share of images whose traces are low-pass filtered."""
    smooth: Fraction = 0.0
    """Share of images that are blurred vertically, horizontally or both."""
    noise: Fraction = 0.0
    """Largest standard deviation of added noise, as a share of the grey values' range."""
    mute: Fraction = 0.0
    """Share of images with a muted part (top, bottom, wedge or strip), which is background."""

    @model_validator(mode="after")
    def _scale_ranges_rise(self) -> AugmentConfig:
        for name in ("vertical_scale", "horizontal_scale"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(
                    f"{name} must be a smallest and a largest factor, found {[low, high]}"
                )
        return self


Weight = Annotated[float, Field(ge=0)]
Ramped = Weight | tuple[Weight, Weight]
"""A weight, or a pair: the weight before the ramp and the weight after it."""


class LossConfig(Section):
    """The weighted sum of loss terms; by default cross entropy and soft Dice."""

    ce: Ramped = 0.3
    """Weight of the cross entropy of the valid pixels."""
    dice: Ramped = 2.0
    """Weight of 1 − soft Dice of salt."""
    lovasz: Ramped = 0.0
    """Weight of the symmetric Lovász hinge per tile, with ELU + 1 (arXiv 1705.08790)."""
    ramp: tuple[Fraction, Fraction] = (0.0, 0.0)
    """Start and end of the ramp between the two weights of a pair, as shares of all steps."""
    empty: Weight = 0.0
    """Weight of the cross entropy of the tile classifier (any salt or none), where there is one."""
    deep: Weight = 0.0
    """Weight of deep supervision: cross entropy of coarser outputs, where there are any."""

    @model_validator(mode="after")
    def _some_weight(self) -> LossConfig:
        if self.ramp[0] > self.ramp[1]:
            raise ValueError(f"ramp must start before it ends, found {list(self.ramp)}")
        for share in (0, 1):
            if sum(weight_at(weight, share) for weight in (self.ce, self.dice, self.lovasz)) == 0:
                when = " at the end of the ramp" if share else ""
                raise ValueError(f"ce, dice and lovasz are all 0{when}: there is no loss")
        return self


def weight_at(weight: Ramped, share: float) -> float:
    """A weight after `share` in [0, 1] of the ramp."""
    if isinstance(weight, tuple):
        return weight[0] + (weight[1] - weight[0]) * share
    return weight


class OptimizerConfig(Section):
    """AdamW (Loshchilov and Hutter, arXiv 1711.05101), or Muon for inner convolutions."""

    name: Literal["adamw", "muon"] = "adamw"
    """The optimiser."""
    lr: Annotated[float, Field(gt=0)] = 5e-4
    """Learning rate: the initial one of `plateau`, the peak of the other schedules."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Decoupled weight decay."""
    encoder_lr: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of the encoder; null uses `lr` there as well."""
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    """Gradient clipping: largest norm of the gradient of all parameters; null for none."""


class ScheduleConfig(Section):
    """Learning rate schedule: by the validation loss, or a curve over all steps."""

    name: Literal["plateau", "one_cycle", "cosine"] = "plateau"
    """`plateau` is ReduceLROnPlateau; `one_cycle` and `cosine` warm up linearly, then decay
    linearly or along a half cosine."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Factor by which `plateau` lowers the learning rate."""
    patience: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """Epochs without a better validation loss before `lr` is multiplied by `factor`."""
    warmup: Fraction = 0.1
    """Share of all steps in which `one_cycle` and `cosine` warm up from 0."""
    floor: Fraction = 0.0
    """Final learning rate of `one_cycle` and `cosine`, as a share of `lr`."""


class TrainConfig(Section):
    """The training loop."""

    batch: Count = 8
    """Tiles per optimiser step, over all processes together."""
    epochs: Count = 50
    """Passes over the training tiles."""
    early_stopping: Count | None = 15
    """Epochs without a better validation loss (Kaggle mAP where `select` is kaggle_map) after which
    the run ends; null for no early stopping."""
    log_every: Count = 20
    """Batches per line of the log."""
    save_minutes: Annotated[float, Field(gt=0, le=1e6)] = 10.0
    """Minutes between checkpoints within an epoch; there is one after each epoch as well."""
    ema: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay of an exponential moving average (EMA) of the weights, which is then evaluated and
    saved; null for none."""
    select: Literal["loss", "kaggle_map", "last"] = "loss"
    """Which epoch is saved as the best: lowest validation loss, highest Kaggle mAP, or the last."""
    progressive: tuple[tuple[Fraction, Annotated[int, Field(ge=16, le=4096)]], ...] = ()
    """Progressive resizing: `[[0.5, 64]]` trains the first half of the steps at 64 pixels."""
    start: str | None = None
    """A model of the same architecture whose weights the training starts from: a run folder, a
    bundle folder with weights, or a bundled model (`general`, `salt`)."""


class DeviceConfig(Section):
    """Device and numerics. `auto` follows measurements in docs/results.md."""

    name: DeviceName = "auto"
    """Where the network is trained; `auto` takes CUDA, then MPS, then the CPU."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the network; `auto` is bfloat16 on CUDA GPUs that support it, else float32."""
    channels_last: bool | Literal["auto"] = "auto"
    """Store images with their channels last; `auto` does so where it is known to be faster."""
    compile: bool | Literal["auto"] = "auto"
    """Compile the network with torch.compile; `auto` never does, as it gained nothing."""
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    """CPU threads per process; null for PyTorch's own choice."""


class TrackConfig(Section):
    """Experiment tracking, beside metrics.csv, which is always written."""

    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()
    """Experiment trackers that draw the curves as well."""
    wandb_mode: Literal["auto", "offline", "online"] = "auto"
    """`auto` is online if there is a login and the server answers, else offline."""
    project: Annotated[str, Field(min_length=1)] = "diapir"
    """Project of the run in W&B."""
    examples: Annotated[int, Field(ge=0, le=64)] = 8
    """Validation tiles that are drawn with ground truth and prediction after each epoch."""


class RunConfig(Section):
    """The configuration of a run, as config.yaml of a run folder holds it."""

    name: Annotated[str, Field(min_length=1)] = "run"
    """Name of the run and of its model."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of initial weights, order of tiles and augmentation."""
    data: DataConfig = DataConfig()
    model: ModelConfig = UNetConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    augment: AugmentConfig = AugmentConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    train: TrainConfig = TrainConfig()
    device: DeviceConfig = DeviceConfig()
    track: TrackConfig = TrackConfig()

    def to_yaml(self) -> str:
        """This configuration as YAML, which `parse_config` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
