"""The tables of the report: metrics, training, model and data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from diapir.architectures import ModelConfig
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig, RunConfig
from diapir.evaluation.metric_names import METRICS
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

HEADLINE = ("dice", "iou", "kaggle_map", "soft_dice")


class Metric(NamedTuple):
    """A metric of a report; `low` and `high` are its 95% CI, None where unknown."""

    name: str
    value: float
    low: float | None
    high: float | None
    definition: str

    @property
    def interval(self) -> str:
        """0.841 – 0.868, or empty where unknown."""
        if self.low is None or self.high is None:
            return ""
        return f"{decimal(self.low)} – {decimal(self.high)}"


def metrics(evaluation: Evaluation) -> dict[str, Metric]:
    """The metrics of an evaluation, in the order of `METRICS`."""
    intervals = evaluation.metrics.get("ci95") or {}
    shown = {}
    for key, (name, definition) in METRICS.items():
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
        ("Augmentation", augment_words(config.augment)),
        ("Loss", loss_words(config.loss)),
        (
            "Optimiser",
            f"{optimizer_words(config.optimizer, config.schedule)}; batch size {train.batch}",
        ),
        ("Checkpoint", keeping_words(train)),
        ("Seed", str(config.seed)),
    ]
    if len(history):
        best = f"; best: epoch {history.best_epoch}" if history.best_epoch else ""
        facts.append(("Epochs", f"{len(history)} of max. {train.epochs}{best}"))
        facts.append(("Ended", history.ending(config)))
        facts.append(("Time", _time(history)))
    return [(name, value) for name, value in facts if value]


def start_facts(bundle: Bundle | None) -> Facts:
    """The weights that a run started from, and what was changed when it was resumed."""
    training = {} if bundle is None else bundle.info.training
    keys = ("started from", "newly initialised", "changed on resuming")
    return [(key[:1].upper() + key[1:], str(training[key])) for key in keys if key in training]


def _time(history: History) -> str:
    taken = duration(history.seconds())
    speeds = history.column("tiles_per_s")
    if taken and np.isfinite(speeds).any():
        speed = float(np.nanmedian(speeds))
        taken += f", {decimal(speed, 1) if speed < 10 else integer(speed)} tiles/s"
    return taken


def bundle_facts(bundle: Bundle, count: int | None) -> Facts:
    """Name, architecture, input and weights of a model."""
    info = bundle.info
    return [
        ("Name", info.name),
        ("Model", model_words(info.model, count)),
        ("Input", input_words(info.preprocess)),
        ("Weights", f"SHA-256 {info.weights_sha256[:12]}…"),
    ]


def origin_facts(bundle: Bundle) -> Facts:
    """How a model was trained, according to its bundle."""
    return [
        (key[:1].upper() + key[1:], _short(value))
        for training in bundle.info.trainings
        for key, value in training.items()
    ]


def data_facts(evaluation: Evaluation, tiles: TileSet, split: Split | None) -> Facts:
    """The tiles of a split, and those of the evaluation."""
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
    evaluated = plural(data["n_images"], "tile")
    if data["n_groups"] != data["n_images"]:
        evaluated += f" of {plural(data['n_groups'], 'section group')}"
    if data.get("n_unscored"):
        evaluated += f"; {plural(data['n_unscored'], 'tile')} without valid pixels excluded"
    label = "Evaluated on" if split else "Tiles"
    facts.append((label, f"{evaluated}, part “{data['part']}”, {size}"))
    facts.append(("Salt", f"{percent(_salt_share(tiles), 1)} of the pixels; {_empty(evaluation)}"))
    if tiles.encoding:
        facts.append(("Mask encoding", str(tiles.encoding)))
    return facts


_PART = {"train": "training", "val": "validation"}


def _salt_share(tiles: TileSet) -> float:
    shares = tiles.class_shares
    valid = shares["salt"] + shares["background"]
    return shares["salt"] / valid if valid else math.nan


def _empty(evaluation: Evaluation) -> str:
    empty = sum(tile.coverage == 0 for tile in evaluation.tiles)
    return f"{percent(empty / max(1, len(evaluation.tiles)))} of the tiles have no salt"


_UNSET = {"encoder": None, "weights": "none", "freeze": 0, "finest": None}
"""Arguments that are not shown if they have these values."""


def model_words(model: ModelConfig, count: int | None) -> str:
    """The architecture, its arguments and its size."""
    arguments = model.model_dump(mode="json")
    del arguments["name"]
    words = ", ".join(
        f"{key.replace('_', ' ')} {value}"
        for key, value in arguments.items()
        if key not in _UNSET or value != _UNSET[key]
    )
    size = f", {parameters(count)} parameters" if count else ""
    return f"{model.title} ({words}){size}" if words else model.title + size


def input_words(preprocess: PreprocessConfig) -> str:
    """Input size and padding."""
    padded = {"zero": "with zeros", "reflect": "by reflection", "edge": "with its edge"}
    size = preprocess.size
    sides = "as large as the tiles need" if size == "auto" else f"{size} × {size} px"
    return f"{sides}, tiles padded {padded[preprocess.pad]}"


def parameter_count(weights: Path) -> int | None:
    """Number of values in a safetensors file, from its header; None if it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            names: list[str] = list(file.keys())
            sizes: list[int] = [math.prod(file.get_slice(name).get_shape()) for name in names]
            return sum(sizes)
    except (SafetensorError, OSError):
        return None


def _short(value: Any) -> str:
    """A value of the bundle's `training`; hashes are shortened."""
    text = str(value)
    is_hash = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return f"{text[:12]}…" if is_hash else text
