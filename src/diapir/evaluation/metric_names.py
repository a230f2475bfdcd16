"""Name and definition of each metric, for everything that shows metrics to people."""

from __future__ import annotations

from typing import NamedTuple


class MetricName(NamedTuple):
    """A metric in words; `definition` is one sentence or two."""

    name: str
    definition: str


METRICS: dict[str, MetricName] = {
    "dice": MetricName(
        "Dice", "2 × overlap ÷ (predicted salt + labelled salt), over all pixels of all tiles."
    ),
    "iou": MetricName(
        "IoU", "Intersection over union of predicted and labelled salt, over all pixels."
    ),
    "kaggle_map": MetricName(
        "Kaggle mAP",
        "For each tile, the share of the ten IoU thresholds 0.50, 0.55 … 0.95 that are exceeded; a "
        "tile without salt scores 1 if none is predicted, otherwise 0. Mean over tiles.",
    ),
    "soft_dice": MetricName(
        "Soft Dice", "Dice of the probabilities, without a threshold, in batches of 8 tiles."
    ),
    "dice_per_image": MetricName(
        "Dice per tile",
        "Mean Dice of the tiles; a tile without labelled or predicted salt scores 1.",
    ),
    "iou_per_image": MetricName(
        "IoU per tile",
        "Mean IoU of the tiles; a tile without labelled or predicted salt scores 1.",
    ),
    "precision": MetricName("Precision", "Share of the predicted salt that is salt."),
    "recall": MetricName("Recall", "Share of the salt that is predicted as salt."),
    "pixel_accuracy": MetricName("Pixel accuracy", "Share of the pixels that are correct."),
    "ece": MetricName(
        "Calibration error",
        "Expected calibration error (ECE): mean gap between predicted probability and observed "
        "share of salt; 0 is best.",
    ),
}
"""The metrics of an evaluation, the most important first."""

IN_SECTIONS = MetricName(
    "Dice in sections",
    "Dice of the evaluated tiles of a mosaic, each inside the prediction of its whole section.",
)
