"""What a run is: every key of a recipe, its type, range and default. YAML in and out.

A recipe is a YAML file of these sections; `load_recipe` merges it with `--set section.key=value`
overrides and checks the whole. Models are frozen and refuse unknown keys, naming the nearest valid.
"""

from __future__ import annotations

import contextlib
import difflib
import reprlib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from diapir.architectures import ARCHITECTURES, ModelConfig, Section, UNetConfig
from diapir.errors import ConfigError

IGNORE = 255
"""Mask value of pixels that count in no loss and no metric."""

_SHORT = reprlib.Repr()  # values may be as large as a file
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 80, 80

MaskEncoding = Literal["index", "grey8", "grey16", "seed", "rle"]
Fraction = Annotated[float, Field(ge=0, le=1)]


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
    """A groups.csv (`id,group`) as `diapir data mosaic` writes it; splits keep a group whole."""
    extra: str | None = None
    """Further labelled tiles (any layout), such as pseudo-labels, for the training part only."""
    use_all: bool = False
    """Train on the validation part as well, for a model to ship; its score then says nothing."""

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


def recipe_names() -> list[str]:
    """Names of the shipped recipes, sorted."""
    root = Path(str(resources.files("diapir.recipes")))
    paths = (path.relative_to(root).with_suffix("") for path in root.rglob("*.yaml"))
    return sorted(path.as_posix() for path in paths)


def load_recipe(recipe: str | Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a recipe and apply overrides.

    Args:
        recipe: the name of a shipped recipe, or the path of a YAML file.
        overrides: `section.key=value` strings; the value is YAML (`[a, b]`, `null`, `1e-3`).

    Raises:
        ConfigError: no such recipe, not YAML, an unknown key or a wrong type or value.
    """
    path = _find_recipe(str(recipe))
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise ConfigError(
            f"{path} cannot be read as YAML: {_yaml_reason(error)}",
            expected="a YAML file of recipe sections, in UTF-8",
            mend="compare it with a shipped recipe: " + ", ".join(recipe_names()),
        ) from None
    overrides = list(overrides)
    source = f"{path} with --set" if overrides else str(path)
    return parse_config(values, source=source, overrides=overrides)


def parse_config(values: object, *, source: str, overrides: Iterable[str] = ()) -> RunConfig:
    """Check the values of a recipe (as YAML gives them) and apply overrides.

    Raises:
        ConfigError: an unknown key (naming the nearest valid one) or a wrong type or value.
    """
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{source} holds a {type(values).__name__} at its top",
            expected="sections with keys, such as `train: {batch: 8}`",
            mend="write it as `section:` lines with indented `key: value` lines",
        )
    for override in overrides:
        values = _override(values, override)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise _config_error(error, source) from None


def config_diff(old: RunConfig, new: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ: `{"train.batch": (8, 16)}`."""
    before, after = _flatten(old.model_dump(mode="json")), _flatten(new.model_dump(mode="json"))
    return {
        key: (before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _yaml_reason(error: Exception) -> str:
    """What is wrong and where, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error).partition("\n")[0]


def _find_recipe(recipe: str) -> Path:
    path = Path(recipe)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise ConfigError(
            f"no recipe file {path}",
            expected="the path of a YAML file, or the name of a shipped recipe",
            mend="shipped recipes: " + ", ".join(recipe_names()),
        )
    if recipe in recipe_names():
        return Path(str(resources.files("diapir.recipes"))) / f"{recipe}.yaml"
    raise ConfigError(
        f"no recipe named {recipe!r}" + _did_you_mean(recipe, recipe_names()),
        expected="one of " + ", ".join(recipe_names()),
        mend="choose one of these, or give the path of a YAML file",
    )


def _override(values: dict[str, Any], override: str) -> dict[str, Any]:
    """`values` with one `section.key=value` applied; the argument is left as it is."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"--set {override!r} has no key=value form",
            expected="section.key=value, such as --set train.batch=4",
            mend="write the key, an equals sign and the value without spaces around them",
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"the value of --set {override!r} is not YAML: {_yaml_reason(error)}",
            expected="a YAML value: 4, 1e-3, null, [a, b], text",
            mend="quote the value, for example --set 'track.trackers=[tensorboard]'",
        ) from None
    if isinstance(value, str):
        # YAML 1.1 reads 1e-3 as text; the field's type decides whether a number is right
        with contextlib.suppress(ValueError):
            value = float(value)
    changed = dict(values)
    section = changed
    *parents, last = key.strip().split(".")
    for parent in parents:
        inner = section.get(parent)
        section[parent] = dict(inner) if isinstance(inner, dict) else {}
        section = section[parent]
    section[last] = value
    return changed


def _config_error(error: ValidationError, source: str) -> ConfigError:
    faults: dict[str, list[str]] = {}  # what is wrong, by key; of a union each choice complains
    mends = []
    for issue in error.errors():
        parts = list(issue["loc"])
        # pydantic puts the union's tag into the path
        tagged = parts[:1] == ["model"] and len(parts) > 1
        architecture = str(parts.pop(1)) if tagged else ""
        location = _known(parts, architecture)
        key = ".".join(location)
        if issue["type"] == "extra_forbidden":
            valid = _valid_keys(location[:-1], architecture)
            line = f"unknown key {key!r}" + _did_you_mean(location[-1], valid)
            where = ".".join(location[:-1]) or "the top of a recipe"
            mends.append(f"keys of {where}: {', '.join(valid)}")
            faults[line] = []
            continue
        found = issue["input"]
        if issue["type"].startswith("union_tag"):
            mends.append("architectures: " + ", ".join(ARCHITECTURES))
            key, found = "model.name", issue["ctx"].get("tag", {})
        line = key if isinstance(found, dict) else f"{key} = {_SHORT.repr(found)}"
        faults.setdefault(line, []).append(_complaint(issue, location))
    return ConfigError(
        f"{source}: "
        + "; ".join(": ".join(filter(None, (line, " or ".join(f)))) for line, f in faults.items()),
        expected="known keys with values of their type and range",
        mend="; ".join(dict.fromkeys(mends)) or "correct the value in the recipe or in --set",
    )


def _complaint(issue: ErrorDetails, location: Sequence[str]) -> str:
    """What pydantic has against one value, in words of YAML."""
    if issue["type"] == "union_tag_invalid":
        name = issue["ctx"]["tag"]
        return f"no architecture of this name{_did_you_mean(name, ARCHITECTURES)}"
    if issue["type"] == "union_tag_not_found":
        return "it is missing"
    if issue["type"] in {"model_type", "model_attributes_type"}:
        return f"it should be a section with the keys {', '.join(_valid_keys(location))}"
    if issue["type"] == "tuple_type":
        return "it should be a list, such as [a, b]"
    message = issue["msg"].removeprefix("Value error, ").partition(", unable to")[0]
    message = message.replace("Input should be", "it should be")
    if issue["type"] == "literal_error" and isinstance(issue["input"], str):
        expected = str(issue["ctx"]["expected"]).replace(" or ", ", ").split(", ")
        message += _did_you_mean(issue["input"], [name.strip("'") for name in expected])
    return message


def _known(location: Sequence[int | str], architecture: str) -> list[str]:
    """A location without what pydantic adds to tell the types of a union apart."""
    known = [str(location[0])]
    for part in location[1:]:
        if isinstance(part, int) or _valid_keys(known, architecture):
            known.append(str(part))
    return known


def _valid_keys(location: Sequence[str], architecture: str = "unet") -> list[str]:
    section: Any = RunConfig
    for part in location:
        fields = getattr(section, "model_fields", {})
        if part not in fields:
            return []
        section = fields[part].annotation
        if part == "model":
            section = ARCHITECTURES.get(architecture)
    return list(getattr(section, "model_fields", {}))


def _did_you_mean(found: str, valid: Iterable[str]) -> str:
    close = difflib.get_close_matches(found, list(valid), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
