"""The headline metrics of an evaluation as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diapir.evaluation.in_sections import METRIC_KEYS, InSections
from diapir.evaluation.metric_names import METRICS
from diapir.evaluation.nothing import NOTHING, predicts_nothing
from diapir.evaluation.result import Evaluation
from diapir.text import percent, plural

HEADLINES = (
    "dice",
    "iou",
    "dice_per_image",
    "kaggle_map",
    "soft_dice",
    "precision",
    "recall",
    "pixel_accuracy",
    "ece",
)
"""Keys of the metrics that are printed."""


def summary(evaluation: Evaluation, in_sections: InSections | None = None) -> Iterator[str]:
    """The data evaluated on, then a line per metric with its 95% CI; scores in sections first."""
    if in_sections is not None:
        yield from _in_sections(in_sections)
        yield ""
    data = evaluation.data
    tiles = plural(data["n_images"], "tile")
    if data["n_groups"] != data["n_images"]:
        tiles += f" in {plural(data['n_groups'], 'section')}"
    yield f"{data['name']}, part {data['part']}: {tiles}"
    width = max(len(METRICS[key].name) for key in HEADLINES)
    for key in HEADLINES:
        yield f"  {METRICS[key].name:<{width}}  {_score(evaluation.metrics, key, '95% CI ')}"
    nothing = predicts_nothing(evaluation).metrics
    scores = f"Kaggle mAP {nothing['kaggle_map']:.4f}, Dice {nothing['dice']:.4f}"
    yield f"a model that {NOTHING} scores {scores} on these tiles"


def _score(metrics: Mapping[str, Any], key: str, label: str = "") -> str:
    """A metric with its 95% CI, if it has one."""
    interval = metrics["ci95"].get(key)  # absent where all tiles share one section
    shown = f"  ({label}{interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
    return f"{metrics[key]:.4f}{shown}"


def _in_sections(found: InSections) -> Iterator[str]:
    """The scores of tiles in sections and alone, side by side."""
    data, block = found.inside.data, found.block()
    tiles = plural(data["n_images"], "tile")
    yield (
        f"{data['name']}, part {data['part']}: {tiles} inside {plural(found.n_sections, 'section')}"
        f" of {found.mosaic}, and the same {tiles} alone"
    )
    table = [("", "in sections  (95% CI)", "alone  (95% CI)")]
    table += [
        (METRICS[key].name, _score(block, key), _score(block["alone"], key)) for key in METRIC_KEYS
    ]
    widths = [max(len(row[place]) for row in table) for place in range(2)]
    for name, inside, alone in table:
        yield f"  {name:<{widths[0]}}  {inside:<{widths[1]}}  {alone}"
    yield f"  pixels that change class when the windows shift by half their size: {flips(block)}"


def flips(block: Mapping[str, Any]) -> str:
    """The share of pixels that change class when windows shift, with its 95% CI: 5.7 % (…)."""
    interval = block["ci95"].get("flips")
    shown = f" (95% CI {percent(interval[0], 1)} to {percent(interval[1], 1)})" if interval else ""
    return percent(block["flips"], 1) + shown
