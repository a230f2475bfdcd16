"""Every key of a recipe: its type, range and default. Models are frozen and refuse unknown keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypedDict

import yaml
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from diapir.architectures import ModelConfig, Section, UNetConfig, is_architecture
from diapir.choices import DeviceName, MaskEncoding
from diapir.config.preprocess_config import PreprocessConfig

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

    path: str | None = None
    """The labelled tiles, where `--data` does not name them; a run records them here."""
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
    elastic: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    """Largest displacement of a pixel by smooth elastic deformation, as a share of the input's
    side."""
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

    terms: ClassVar = ("ce", "dice", "lovasz", "focal", "tversky", "boundary")
    """Terms of the logits, whose weights may be ramped."""

    ce: Ramped = 0.3
    """Weight of the cross entropy of the valid pixels."""
    dice: Ramped = 2.0
    """Weight of 1 − soft Dice of salt."""
    lovasz: Ramped = 0.0
    """Weight of the symmetric Lovász hinge per tile, with ELU + 1 (arXiv 1705.08790)."""
    focal: Ramped = 0.0
    """Weight of the focal loss: cross entropy that counts hard pixels most (arXiv 1708.02002)."""
    tversky: Ramped = 0.0
    """Weight of 1 − Tversky index of salt, which weighs false positives and missed salt apart
    (arXiv 1706.05721)."""
    boundary: Ramped = 0.0
    """Weight of the boundary loss, in pixels of distance to the outline of the salt (arXiv
    1812.07032); small, such as [0, 0.01], beside another term."""
    class_weights: tuple[Weight, Weight] = (1.0, 1.0)
    """Weights of background and salt in the cross entropy `ce`."""
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    """Exponent of `focal`; 0 makes it the cross entropy."""
    tversky_alpha: Annotated[float, Field(gt=0, le=10)] = 0.3
    """Weight of false positives in `tversky`."""
    tversky_beta: Annotated[float, Field(gt=0, le=10)] = 0.7
    """Weight of missed salt in `tversky`."""
    ramp: tuple[Fraction, Fraction] = (0.0, 0.0)
    """Start and end of the ramp between the two weights of a pair, as shares of all steps."""
    empty: Weight = 0.0
    """Weight of the cross entropy of the tile classifier (any salt or none), where there is one."""
    deep: Weight = 0.0
    """Weight of deep supervision: cross entropy of coarser outputs, where there are any."""
    custom: str | None = None
    """Name of the Python function that replaces the weighted sum, where `diapir.train` got one."""

    @model_validator(mode="after")
    def _some_weight(self) -> LossConfig:
        if self.ramp[0] > self.ramp[1]:
            raise ValueError(f"ramp must start before it ends, found {list(self.ramp)}")
        for share in (0, 1):
            regional = [name for name in self.terms if name != "boundary"]
            if sum(weight_at(getattr(self, name), share) for name in regional) == 0:
                when = " at the end of the ramp" if share else ""
                raise ValueError(
                    f"{', '.join(regional[:-1])} and {regional[-1]} are all 0{when}: "
                    + ("boundary needs one of them" if self.boundary else "there is no loss")
                )
        if not any(self.class_weights):
            raise ValueError("class_weights are both 0")
        return self

    @property
    def ramped(self) -> bool:
        """Whether any weight changes during the run."""
        return any(isinstance(getattr(self, name), tuple) for name in self.terms)


def weight_at(weight: Ramped, share: float) -> float:
    """A weight after `share` in [0, 1] of the ramp."""
    if isinstance(weight, tuple):
        return weight[0] + (weight[1] - weight[0]) * share
    return weight


class OptimizerConfig(Section):
    """The optimiser: AdamW (Loshchilov and Hutter, arXiv 1711.05101) or another."""

    name: Literal["adamw", "adam", "sgd", "muon"] = "adamw"
    """`adamw`, `adam` (weight decay as an L2 term), `sgd` (with `momentum`), or `muon` for inner
    convolutions with AdamW for the rest."""
    lr: Annotated[float, Field(gt=0)] = 5e-4
    """Learning rate: the initial one of `plateau`, the peak of the other schedules."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Weight decay; decoupled but for `adam`."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of `sgd`; the other optimisers have their own."""
    nesterov: bool = False
    """Nesterov momentum in `sgd`."""
    encoder_lr: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of the encoder; null uses `lr` there as well."""
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    """Gradient clipping: largest norm of the gradient of all parameters; null for none."""

    @model_validator(mode="after")
    def _momentum_for_nesterov(self) -> OptimizerConfig:
        if self.nesterov and (self.name != "sgd" or not self.momentum):
            raise ValueError("nesterov needs name = sgd and a momentum above 0")
        return self


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
    """Tiles in a batch, over all processes together."""
    accumulate: Annotated[int, Field(ge=1, le=1024)] = 1
    """Batches that are accumulated for one optimiser step: the gradient is that of a batch so many
    times as large, in the memory of one, for a third more time."""
    epochs: Count = 50
    """Passes over the training tiles."""
    epoch_steps: Count | None = None
    """Steps in an epoch, on tiles drawn at random, for epochs shorter than a pass; null for a pass
    over all tiles."""
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
    """A model whose weights the training starts from (`--init`): a run folder, a bundle folder with
    weights, or a bundled model (`general`, `salt`). Keys of `model` and `preprocess` that the
    recipe leaves out are taken from it."""
    start_head: Literal["keep", "fresh"] = "keep"
    """Whether the last layers of `start` are kept, or newly initialised."""


class DeviceConfig(Section):
    """Device and numerics. `auto` follows measurements in docs/results.md."""

    name: DeviceName = "auto"
    """Where the network is trained; `auto` takes CUDA, then MPS, then the CPU."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the network; `auto` is bfloat16 on CUDA GPUs that support it and on CPUs with
    AVX512_BF16 or AMX, else float32. A run keeps its precision."""
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
    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=UNetConfig)
    preprocess: PreprocessConfig = Field(default_factory=PreprocessConfig)
    augment: AugmentConfig = Field(default_factory=AugmentConfig)
    loss: LossConfig = Field(default_factory=LossConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    device: DeviceConfig = Field(default_factory=DeviceConfig)
    track: TrackConfig = Field(default_factory=TrackConfig)

    @field_validator("model", mode="before")
    @classmethod
    def _architecture_exists(cls, model: Any) -> Any:
        """Refuse a name that no architecture has; bundles keep such names."""
        name = model.get("name") if isinstance(model, dict) else getattr(model, "name", None)
        if isinstance(name, str) and not is_architecture(name):
            raise PydanticCustomError("union_tag_invalid", "no such architecture", {"tag": name})
        return model

    def to_yaml(self) -> str:
        """This configuration as YAML, which `parse_config` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
