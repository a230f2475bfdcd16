"""Predicting no salt at all: the score that a model has to beat before it means anything.

Kaggle's mAP of tiles without salt is 1 where none is predicted, so a network that predicts nothing
scores as much as their share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from diapir.evaluation.metrics import SOFT_BATCH
from diapir.evaluation.result import Evaluation

NOTHING = "predicts nothing"
"""Name of the row in leaderboards and reports."""
LEAST = 0.002
"""By how much a score has to exceed that of predicting nothing."""
FOUND = 0.05
"""Dice up to which a model hardly predicts any salt: its mAP is that of predicting nothing."""


def predicts_nothing(evaluation: Evaluation) -> Evaluation:
    """The scores of predicting no salt on the tiles of an evaluation.

    Returns:
        `metrics` with `kaggle_map, dice, iou, soft_dice`; no breakdowns.
    """
    tiles = []
    for tile in evaluation.tiles:
        right = float(tile.coverage == 0)
        tiles.append(replace(tile, predicted=0.0, dice=right, iou=right, kaggle_ap=right))
    empty = [not tile.coverage for tile in sorted(tiles, key=lambda tile: tile.id)]
    batches = [all(empty[at : at + SOFT_BATCH]) for at in range(0, len(empty), SOFT_BATCH)]
    metrics = {
        "kaggle_map": float(np.mean(empty)),
        "dice": float(all(empty)),
        "iou": float(all(empty)),
        "soft_dice": float(np.mean(batches)),
        "n_images": len(tiles),
        "ci95": {},
    }
    return Evaluation(
        metrics=metrics,
        by_coverage=[],
        sweep=[],
        calibration=[],
        tiles=tiles,
        model={"name": NOTHING},
        data=evaluation.data,
    )


def beats_nothing(
    scores: Mapping[str, float], nothing: Mapping[str, float], key: str = "kaggle_map"
) -> bool:
    """Whether a model finds salt, and scores more than predicting nothing.

    Args:
        scores: of the model: `dice` and `key`.
        nothing: those of predicting nothing on the same tiles.
        key: the metric.
    """
    return scores["dice"] > FOUND and scores[key] > nothing[key] + LEAST
