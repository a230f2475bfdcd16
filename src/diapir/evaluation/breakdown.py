"""Breakdowns of a score: by salt coverage, by threshold, and by calibration bin."""

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
"""Classes of salt coverage; each includes its upper bound, and only "empty" includes 0."""
_UPPER_PERCENT = np.array([0, 5, 20, 40, 60, 80])


def coverage_label(name: str) -> str:
    """Label of a coverage class in a table or figure."""
    return "none" if name == COVERAGE_NAMES[0] else name


def by_coverage(tally: Tally, terms: Floats) -> list[dict[str, Any]]:
    """The scores of each class of salt coverage, and its share of the error.

    Args:
        tally: counts of N tiles.
        terms: `tile_terms` of the same tiles.

    Returns:
        One row for each class with tiles: `coverage` (the class), `n_images`, `n_zero` (tiles with
        Dice 0: all salt missed, or salt predicted in a tile without any), `kaggle_lost` (error
        share: what the class contributes to 1 − `kaggle_map`; the classes add up to it), and all
        metrics of `summarise`.
    """
    salt = tally.tp + tally.fn
    pixels = salt + tally.fp + tally.tn
    # integers on both sides, so that rounding does not move a tile across a bound
    classes = (100 * salt[:, None] > _UPPER_PERCENT * pixels[:, None]).sum(axis=1)
    score, error = dice(tally), 1 - kaggle_ap(tally)
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
                    "kaggle_lost": float(error[inside].sum() / len(error)),
                    **{key: float(value) for key, value in metrics.items()},
                }
            )
    return rows


def sweep(tally_at: Callable[[float], Tally]) -> list[dict[str, Any]]:
    """Scores at each threshold: `threshold, dice, iou, kaggle_map, precision, recall`.

    Args:
        tally_at: gives the counts of N tiles at a threshold of `SWEEP`.
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
    """Reliability of the probabilities of salt, by bin of probability.

    Returns:
        One row per bin: `low`, `high` (its edges), `pixels`, `probability` (mean prediction) and
        `salt` (share of salt pixels); the last two are None for a bin without pixels.
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
