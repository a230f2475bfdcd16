"""What was trained on what, and what the metrics mean: the tables of the report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from diapir.architectures import ModelConfig
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig, RunConfig
from diapir.reports.run.recipe_words import (
    augment_words,
    keeping_words,
    loss_words,
    optimizer_words,
)
from diapir.run.history import History
from diapir.text import decimal, duration, integer, parameters, percent, plural

if TYPE_CHECKING:
    from diapir.evaluation import Evaluation
    from diapir.tiles import Split, TileSet

Facts = list[tuple[str, str]]

DEFINITIONS = {
    "dice": ("Dice", "2 × overlap ÷ (called salt + salt), over all pixels of all tiles."),
    "iou": ("IoU", "Overlap ÷ (called salt or salt), over all pixels of all tiles."),
    "kaggle_map": (
        "Kaggle mAP",
        "Mean over tiles of how many of the ten IoU thresholds 0.50 … 0.95 are exceeded; "
        "a tile without salt scores 1 where nothing is called salt, else 0.",
    ),
    "soft_dice": (
        "Soft Dice",
        "Dice of the probabilities themselves, without a threshold, of 8 tiles at a time.",
    ),
    "dice_per_image": ("Dice per tile", "Mean Dice of the tiles; both empty 1, one empty 0."),
    "iou_per_image": ("IoU per tile", "Mean IoU of the tiles; both empty 1, one empty 0."),
    "precision": ("Precision", "Share of what is called salt that is salt."),
    "recall": ("Recall", "Share of the salt that is called salt."),
    "pixel_accuracy": ("Pixel accuracy", "Share of the pixels that are right, salt or not."),
    "ece": (
        "Calibration error",
        "Mean distance between predicted probability and share of salt; 0 is best.",
    ),
}
"""Name and definition of each metric, the headline's first."""

HEADLINE = ("dice", "iou", "kaggle_map", "soft_dice")


class Metric(NamedTuple):
    """A metric as it is shown; `low` and `high` bound its 95 % interval, None where unknown."""

    name: str
    value: float
    low: float | None
    high: float | None
    definition: str

    @property
    def interval(self) -> str:
        """0.841 – 0.868, or nothing."""
        if self.low is None or self.high is None:
            return ""
        return f"{decimal(self.low)} – {decimal(self.high)}"


def metrics(evaluation: Evaluation) -> dict[str, Metric]:
    """The metrics that the evaluation has, in the order of `DEFINITIONS`."""
    intervals = evaluation.metrics.get("ci95") or {}
    shown = {}
    for key, (name, definition) in DEFINITIONS.items():
        if key in evaluation.metrics:
            low, high = intervals.get(key) or (None, None)
            value = evaluation.metrics[key]
            number = float(value) if value is not None else math.nan
            shown[key] = Metric(name, number, low, high, definition)
    return shown


def training_facts(config: RunConfig, history: History, count: int | None) -> Facts:
    """How a run was trained."""
    train = config.train
    facts = [
        ("Recipe", config.name),
        ("Model", model_words(config.model, count)),
        ("Input", input_words(config.preprocess)),
        ("Variation", augment_words(config.augment)),
        ("Loss", loss_words(config.loss)),
        (
            "Optimiser",
            f"{optimizer_words(config.optimizer, config.schedule)}; "
            f"{plural(train.batch, 'tile')} a step",
        ),
        ("Kept", keeping_words(train)),
        ("Seed", str(config.seed)),
    ]
    if len(history):
        best = f"; the best was epoch {history.best_epoch}" if history.best_epoch else ""
        facts.append(("Epochs", f"{len(history)} of at most {train.epochs}{best}"))
        facts.append(("Ended", history.ending(config)))
        facts.append(("Time", _time(history)))
    return [(name, value) for name, value in facts if value]


def _time(history: History) -> str:
    taken = duration(history.seconds())
    speeds = history.column("tiles_per_s")
    if taken and np.isfinite(speeds).any():
        speed = float(np.nanmedian(speeds))
        taken += f", {decimal(speed, 1) if speed < 10 else integer(speed)} tiles a second"
    return taken


def bundle_facts(bundle: Bundle, count: int | None) -> Facts:
    """What a model is."""
    info = bundle.info
    return [
        ("Name", info.name),
        ("Model", model_words(info.model, count)),
        ("Input", input_words(info.preprocess)),
        ("Weights", f"SHA-256 {info.weights_sha256[:12]}…"),
    ]


def origin_facts(bundle: Bundle) -> Facts:
    """How a model says it was trained."""
    return [
        (key[:1].upper() + key[1:], _short(value))
        for training in bundle.info.trainings
        for key, value in training.items()
    ]


def data_facts(evaluation: Evaluation, tiles: TileSet, split: Split | None) -> Facts:
    """What was learnt from and what was judged on."""
    data = evaluation.data
    sizes = {f"{width} × {height}" for height, width in tiles.shapes.tolist()}
    size = f"{sizes.pop()} px" if len(sizes) == 1 else f"{len(sizes)} different sizes"
    facts = [("Data", str(data["name"]))]
    if split is not None:
        parts = [
            f"{integer(len(ids))} {_PART.get(part, part)}" for part, ids in split.parts.items()
        ]
        facts.append(("Tiles", f"{integer(len(split.tiles))}: {', '.join(parts)}"))
        facts.append(("Split", f"seed {split.seed}, {split.hash[:12]}…"))
    judged = plural(data["n_images"], "tile")
    if data["n_groups"] != data["n_images"]:
        judged += f" of {plural(data['n_groups'], 'section group')}"
    if data.get("n_unscored"):
        judged += f"; {plural(data['n_unscored'], 'tile')} without a valid pixel left out"
    facts.append(("Judged on" if split else "Tiles", f"{judged}, part “{data['part']}”, {size}"))
    facts.append(
        ("Salt", f"{percent(_salt_share(tiles), 1)} of their pixels; {_empty(evaluation)}")
    )
    if tiles.encoding:
        facts.append(("Masks read as", str(tiles.encoding)))
    return facts


_PART = {"train": "to learn from", "val": "to validate"}


def _salt_share(tiles: TileSet) -> float:
    shares = tiles.class_shares
    valid = shares["salt"] + shares["background"]
    return shares["salt"] / valid if valid else math.nan


def _empty(evaluation: Evaluation) -> str:
    empty = sum(tile.coverage == 0 for tile in evaluation.tiles)
    return f"{percent(empty / max(1, len(evaluation.tiles)))} of the tiles have none"


ARCHITECTURES = {
    "unet": "U-Net",
    "improved_unet": "Improved U-Net",
    "resnet_unet": "ResNet U-Net",
    "deeplabv3plus": "DeepLabV3+",
    "deeplabv3": "DeepLabV3",
    "fcn": "FCN",
    "pspnet": "PSPNet",
    "segnet": "SegNet",
    "linknet": "LinkNet",
    "hrnet": "HRNet",
}
"""How people call the architectures."""

_UNSET = {"encoder": None, "weights": "none", "freeze": 0, "finest": None}
"""Arguments that say nothing where they have these values."""


def model_words(model: ModelConfig, count: int | None) -> str:
    """The architecture, its arguments and its size."""
    arguments = model.model_dump(mode="json")
    name = ARCHITECTURES.get(model.name, model.name)
    del arguments["name"]
    words = ", ".join(
        f"{key.replace('_', ' ')} {value}"
        for key, value in arguments.items()
        if key not in _UNSET or value != _UNSET[key]
    )
    size = f", {parameters(count)} parameters" if count else ""
    return f"{name} ({words}){size}" if words else name + size


def input_words(preprocess: PreprocessConfig) -> str:
    """How a tile becomes the network's input."""
    padded = {"zero": "with zeros", "reflect": "by reflection", "edge": "with its edge"}
    return f"{preprocess.size} × {preprocess.size} px, tiles padded {padded[preprocess.pad]}"


def parameter_count(weights: Path) -> int | None:
    """Number of values in a safetensors file, from its header; None where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            names: list[str] = list(file.keys())
            sizes: list[int] = [math.prod(file.get_slice(name).get_shape()) for name in names]
            return sum(sizes)
    except (SafetensorError, OSError):
        return None


def _short(value: Any) -> str:
    """A value of the bundle's `training`; a hash is known by its beginning."""
    text = str(value)
    is_hash = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return f"{text[:12]}…" if is_hash else text
