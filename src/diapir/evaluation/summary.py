"""The headline metrics of an evaluation as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from diapir.evaluation.result import Evaluation
from diapir.text import plural

HEADLINES = {
    "dice": "Dice, all pixels",
    "iou": "IoU, all pixels",
    "dice_per_image": "Dice, mean over tiles",
    "kaggle_map": "Kaggle mAP",
    "soft_dice": "soft Dice",
    "precision": "precision",
    "recall": "recall",
    "pixel_accuracy": "pixel accuracy",
    "ece": "calibration error",
}
"""The metrics that are printed, and their names."""


def summary(evaluation: Evaluation) -> Iterator[str]:
    """The data evaluated on, then a line per metric with its 95% CI."""
    data = evaluation.data
    tiles = plural(data["n_images"], "tile")
    if data["n_groups"] != data["n_images"]:
        tiles += f" in {plural(data['n_groups'], 'section')}"
    yield f"{data['name']}, part {data['part']}: {tiles}"
    width = max(len(name) for name in HEADLINES.values())
    for key, name in HEADLINES.items():
        interval = evaluation.metrics["ci95"].get(key)  # absent where all tiles share one section
        shown = f"  (95% CI {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
        yield f"  {name:<{width}}  {evaluation.metrics[key]:.4f}{shown}"
