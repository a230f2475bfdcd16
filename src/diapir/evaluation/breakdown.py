"""Where a score comes from: by salt coverage, over thresholds, by calibration bin."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from diapir.evaluation.histogram import CALIBRATION_EDGES, SWEEP, Histograms
from diapir.evaluation.metrics import (
    Floats,
    Tally,
    dice,
    iou,
    kaggle_ap,
    precision,
    recall,
    summarise,
)

COVERAGE_NAMES = ("empty", "0–5 %", "5–20 %", "20–40 %", "40–60 %", "60–80 %", "above 80 %")
"""The classes of salt coverage; each holds its upper bound, and only "empty" holds 0."""
_UPPER_PERCENT = np.array([0, 5, 20, 40, 60, 80])


def coverage_label(name: str) -> str:
    """A class of salt coverage as the label of a row or a bar."""
    return "none" if name == COVERAGE_NAMES[0] else name


def by_coverage(tally: Tally, terms: Floats) -> list[dict[str, Any]]:
    """The scores of each class of salt coverage, and the account of what it loses.

    Args:
        tally: counts of N tiles.
        terms: `tile_terms` of the same.

    Returns:
        a row for each class that has tiles: `coverage` (the class), `n_images`, `n_zero` (tiles of
        Dice 0: salt missed wholly, or found where there is none), `kaggle_lost` (points that the
        class takes from `kaggle_map`; over all classes they add up to 1 − `kaggle_map`), and all
        metrics of `summarise`.
    """
    salt = tally.hit + tally.missed
    pixels = salt + tally.false + tally.rest
    # whole numbers on both sides, so that a tile on a bound is not moved by rounding
    classes = (100 * salt[:, None] > _UPPER_PERCENT * pixels[:, None]).sum(axis=1)
    score, lost = dice(tally), 1 - kaggle_ap(tally)
    rows = []
    for number, name in enumerate(COVERAGE_NAMES):
        inside = classes == number
        if inside.any():
            metrics = summarise(terms[inside].sum(axis=0))
            rows.append(
                {
                    "coverage": name,
                    "n_images": int(inside.sum()),
                    "n_zero": int((score[inside] == 0).sum()),
                    "kaggle_lost": float(lost[inside].sum() / len(lost)),
                    **{key: float(value) for key, value in metrics.items()},
                }
            )
    return rows


def sweep(tally_at: Callable[[float], Tally]) -> list[dict[str, Any]]:
    """Scores at each threshold: `threshold, dice, iou, kaggle_map, precision, recall`.

    Args:
        tally_at: counts of N tiles at one of `SWEEP`.
    """
    rows = []
    for threshold in SWEEP:
        tally = tally_at(float(threshold))
        pooled = tally.pooled()
        rows.append(
            {
                "threshold": float(threshold),
                "dice": float(dice(pooled)),
                "iou": float(iou(pooled)),
                "kaggle_map": float(kaggle_ap(tally).mean()),
                "precision": float(precision(pooled)),
                "recall": float(recall(pooled)),
            }
        )
    return rows


def calibration(histograms: Histograms) -> list[dict[str, Any]]:
    """What the probabilities of salt are worth, by bin of probability.

    Returns:
        a row a bin: `low`, `high` (its edges), `pixels`, `probability` (mean predicted) and `salt`
        (share of salt among its pixels); both are None where the bin has no pixel.
    """
    pixels, mass, salt = (values.sum(axis=0) for values in histograms.calibration())
    return [
        {
            "low": float(low),
            "high": float(high),
            "pixels": int(number),
            "probability": float(total / number) if number else None,
            "salt": float(found / number) if number else None,
        }
        for (low, high), number, total, found in zip(
            pairwise(CALIBRATION_EDGES), pixels, mass, salt, strict=True
        )
    ]
