"""Every key of a recipe: its type, range and default. Models are frozen and refuse unknown keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from diapir.architectures import ModelConfig, Section, UNetConfig

IGNORE = 255
"""Mask value of pixels that count in no loss and no metric."""

MaskEncoding = Literal["index", "grey8", "grey16", "seed", "rle"]
Fraction = Annotated[float, Field(ge=0, le=1)]
WindowShare = Annotated[float, Field(ge=0, le=0.45)]
ScaleRange = tuple[Annotated[float, Field(ge=0.1, le=10)], Annotated[float, Field(ge=0.1, le=10)]]


class DataConfig(Section):
    """Which labelled tiles are used, and how they are split."""

    mask_encoding: MaskEncoding | Literal["auto"] = "auto"
    split: str | None = None
    """A split.json to train by (parts train and val, or folds); null makes a split."""
    split_seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Seed of the split, apart from the run's, so that runs of other seeds share a split."""
    val_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.15
    folds: Annotated[int, Field(ge=2)] | None = None
    """k-fold instead of `val_fraction`: the number of folds."""
    fold: Annotated[int, Field(ge=0)] = 0
    """Which of the `folds` is the validation part."""
    skip_bad: bool = False
    """Train without the tiles that cannot be read instead of refusing the set."""
    groups: str | None = None
    """A groups.csv (`id,group`) as `diapir data mosaic` writes it; splits keep a group whole. Null
    takes that of `mosaic`."""
    extra: str | None = None
    """Further labelled tiles (any layout), such as pseudo-labels, for the training part only."""
    use_all: bool = False
    """Train on the validation part as well, for a model to ship; its score then says nothing."""
    mosaic: str | None = None
    """A folder of `diapir data mosaic`: windows of its sections are trained on beside the tiles.
    Labels of training tiles count there; all else is context."""
    mosaic_share: WindowShare = 0.4
    """Share of these windows in all images of an epoch; nothing without `mosaic`."""
    synthetic: tuple[str, ...] = ()
    """Folders of `diapir data synth`: windows of their sections are trained on as well."""
    synthetic_share: WindowShare = 0.2
    """Share of these windows in all images of an epoch; nothing without `synthetic`."""
    window_sizes: tuple[Annotated[int, Field(ge=16, le=4096)], ...] = ()
    """Heights (and widths) of windows in pixels; each step draws one. Empty takes the tiles'."""
    window_labelled: Fraction = 0.25
    """Share of a window that is labelled, where a position can be found that has as much."""

    @model_validator(mode="before")
    @classmethod
    def _groups_of_the_mosaic(cls, values: Any) -> Any:
        """Splits keep whole what windows show together."""
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
    """How a tile becomes the network's input. It travels inside the bundle."""

    size: Annotated[int, Field(ge=16, le=4096)] = 224
    """Height and width in pixels of the network's input; smaller tiles are padded to it."""
    pad: Literal["zero", "reflect", "edge"] = "zero"
    """How images are padded (before normalising); masks are always padded with 255."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: Annotated[
        tuple[
            Annotated[float, Field(gt=0)],
            Annotated[float, Field(gt=0)],
            Annotated[float, Field(gt=0)],
        ],
        Field(),
    ] = (0.229, 0.224, 0.225)


class AugmentConfig(Section):
    """How a tile is varied each time it is learnt from; as given here, nothing is."""

    flip: Literal["none", "random", "alternate"] = "none"
    """Left to right: by chance, or every second epoch. Never top to bottom: gravity has a side."""
    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest shift each way, as a share of the tile's side."""
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest zoom: a factor between 1 / (1 + scale) and 1 + scale."""
    stretch: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """As `scale`, but of the vertical axis alone."""
    rotate: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Largest rotation in degrees, either way."""
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest shift of the grey values, as a share of their range."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Largest change of contrast about the tile's mean: a factor as of `scale`."""
    polarity: Fraction = 0.0
    """Share of tiles whose amplitudes change sign."""
    cutout: Fraction = 0.0
    """Share of tiles of which a rectangle is painted grey; the mask stays."""
    rescale: Fraction = 0.0
    """Share of images that are stretched within `vertical_scale` and `horizontal_scale`, beside
    what `scale` and `stretch` do: surveys differ in sampling."""
    vertical_scale: ScaleRange = (0.25, 1.5)
    """Least and greatest factor of the height of an image that `rescale` stretches."""
    horizontal_scale: ScaleRange = (0.5, 1.5)
    """Least and greatest factor of its width, drawn apart from the height's."""
    gamma: Annotated[float, Field(ge=0, lt=3)] = 0.0
    """Largest bend of the grey levels: an exponent between 1 / (1 + gamma) and 1 + gamma."""
    clip: Fraction = 0.0
    """Share of images whose darkest and brightest grey levels are clipped, the rest stretched."""
    phase: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest phase rotation of the traces in degrees, either way."""
    lowpass: Fraction = 0.0
    """Share of images whose traces lose their high frequencies."""
    smooth: Fraction = 0.0
    """Share of images that are blurred, down, across or both."""
    noise: Fraction = 0.0
    """Largest standard deviation of added noise, as a share of the grey levels' range."""
    mute: Fraction = 0.0
    """Share of images with a blank part (water, bottom, wedge or strip), which is background."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> AugmentConfig:
        for name in ("vertical_scale", "horizontal_scale"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(
                    f"{name} must be a least and a greatest factor, found {[low, high]}"
                )
        return self


Weight = Annotated[float, Field(ge=0)]
Ramped = Weight | tuple[Weight, Weight]
"""A weight, or two: the first until the ramp begins, the second from its end on."""


class LossConfig(Section):
    """A weighted sum: the seed's has cross entropy and soft Dice only."""

    ce: Ramped = 0.3
    """Cross entropy of the valid pixels."""
    dice: Ramped = 2.0
    """1 − soft Dice of salt."""
    lovasz: Ramped = 0.0
    """Symmetric Lovász hinge (Berman et al., arXiv 1705.08790) with ELU + 1, by tile."""
    ramp: tuple[Fraction, Fraction] = (0.0, 0.0)
    """Where weights given as a pair begin and end to change, as shares of all steps."""
    empty: Weight = 0.0
    """Cross entropy of the network's guess whether the tile has salt at all, where it makes one."""
    deep: Weight = 0.0
    """Cross entropy of the network's coarser outputs, where it has them."""

    @model_validator(mode="after")
    def _some_weight(self) -> LossConfig:
        if self.ramp[0] > self.ramp[1]:
            raise ValueError(f"ramp must begin before it ends, found {list(self.ramp)}")
        for share in (0, 1):
            if sum(weight_at(weight, share) for weight in (self.ce, self.dice, self.lovasz)) == 0:
                when = " at the end of the ramp" if share else ""
                raise ValueError(f"ce, dice and lovasz are all 0{when}: nothing would be learnt")
        return self


def weight_at(weight: Ramped, share: float) -> float:
    """A weight where `share` in [0, 1] of the ramp is done."""
    if isinstance(weight, tuple):
        return weight[0] + (weight[1] - weight[0]) * share
    return weight


class OptimizerConfig(Section):
    """AdamW (Loshchilov and Hutter, arXiv 1711.05101), or Muon for the inner convolutions."""

    name: Literal["adamw", "muon"] = "adamw"
    lr: Annotated[float, Field(gt=0)] = 5e-4
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    encoder_lr: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of a network's encoder; null takes `lr` there as well."""
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0
    """Largest norm of the gradient of all parameters; null clips nothing."""


class ScheduleConfig(Section):
    """How the learning rate moves: by the validation loss, or along a curve over all steps."""

    name: Literal["plateau", "one_cycle", "cosine"] = "plateau"
    """`plateau` is ReduceLROnPlateau; `one_cycle` rises linearly and falls linearly; `cosine` rises
    linearly and falls along a half cosine."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.7
    patience: Annotated[int, Field(ge=0)] = 10
    """Epochs without a better validation loss before the learning rate is multiplied by factor."""
    warmup: Fraction = 0.1
    """Share of all steps in which `one_cycle` and `cosine` rise from 0."""
    floor: Fraction = 0.0
    """What they end at, as a share of the learning rate."""


class TrainConfig(Section):
    """The loop."""

    batch: Annotated[int, Field(ge=1)] = 8
    """Tiles of one optimiser step, over all processes together."""
    epochs: Annotated[int, Field(ge=1)] = 50
    early_stopping: Annotated[int, Field(ge=1)] | None = 15
    """Epochs without a better validation loss (or Kaggle mAP, where `select` goes by that) before
    the run ends; null never ends it."""
    log_every: Annotated[int, Field(ge=1)] = 20
    """Batches between two lines of the log."""
    save_minutes: Annotated[float, Field(gt=0)] = 10.0
    """Time between two saves within an epoch; each epoch's end is saved as well."""
    ema: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay of a running average of the weights, which is what is judged and kept."""
    select: Literal["loss", "kaggle_map", "last"] = "loss"
    """Which epoch is kept: of the least validation loss, of the best Kaggle mAP, or the last."""
    progressive: tuple[tuple[Fraction, Annotated[int, Field(ge=16, le=4096)]], ...] = ()
    """Smaller inputs first: `[[0.5, 64]]` learns the first half of the steps at 64 pixels."""
    start: str | None = None
    """A run or bundle folder of the same architecture whose weights the training starts from."""


class DeviceConfig(Section):
    """Where and how the arithmetic runs. `auto` follows measurements in docs/results.md."""

    name: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    channels_last: bool | Literal["auto"] = "auto"
    compile: bool | Literal["auto"] = "auto"
    threads: Annotated[int, Field(ge=1)] | None = None
    """CPU threads of one process; null leaves PyTorch's own choice."""


class TrackConfig(Section):
    """Where curves go besides metrics.csv, which is always written."""

    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()
    wandb_mode: Literal["auto", "offline", "online"] = "auto"
    """`auto` is online where a login is known and the server answers, else offline."""
    project: Annotated[str, Field(min_length=1)] = "diapir"
    examples: Annotated[int, Field(ge=0, le=64)] = 8
    """Validation tiles drawn with truth and prediction after each epoch."""


class RunConfig(Section):
    """A whole run: what `config.yaml` of a run folder holds."""

    name: Annotated[str, Field(min_length=1)] = "run"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
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
        """This run as YAML that `parse_config` reads back to an equal one."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
