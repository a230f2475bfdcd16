"""The headline metrics of an evaluation as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from diapir.evaluation.metric_names import METRICS
from diapir.evaluation.result import Evaluation
from diapir.text import plural

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


def summary(evaluation: Evaluation) -> Iterator[str]:
    """The data evaluated on, then a line per metric with its 95% CI."""
    data = evaluation.data
    tiles = plural(data["n_images"], "tile")
    if data["n_groups"] != data["n_images"]:
        tiles += f" in {plural(data['n_groups'], 'section')}"
    yield f"{data['name']}, part {data['part']}: {tiles}"
    width = max(len(METRICS[key].name) for key in HEADLINES)
    for key in HEADLINES:
        interval = evaluation.metrics["ci95"].get(key)  # absent where all tiles share one section
        shown = f"  (95% CI {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
        yield f"  {METRICS[key].name:<{width}}  {evaluation.metrics[key]:.4f}{shown}"
