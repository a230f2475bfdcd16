"""Dice on held-out labels, its interval, and the threshold calibrated on them.

Neighbouring traces are correlated, so a bootstrap resample draws stretches of traces, not traces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.evaluation.bootstrap import resampled_sums
from diapir.evaluation.metrics import Tally, dice

BLOCK = 32
"""Traces of a stretch that a resample draws as a whole."""
RESAMPLES = 1000
USUAL = 0.3
"""Threshold of an adapted model: on lines unlike the labelled one it misses salt, and rarely finds
too much, while the labelled line itself would ask for a higher one."""
THRESHOLDS = np.arange(USUAL, 0.51, 0.05).round(2)
"""Thresholds that a calibration chooses from. On a stretch of one line 0.9 may gain 0.1 Dice, and
find nothing on the next line."""
GAIN = 0.03
"""Least gain in Dice for another threshold than `USUAL`: a stretch of one line cannot tell less
from chance, and other lines differ more."""

Probabilities = Sequence[NDArray[np.float32]]
Masks = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True)
class HeldOutScore:
    """A model on held-out labels.

    Attributes:
        dice: pooled Dice.
        ci95: its 95% confidence interval; None where there are fewer than two stretches.
        threshold: probability from which a sample is salt.
        traces: held-out traces.
        salt_share: share of held-out labels that are salt.
    """

    dice: float
    ci95: tuple[float, float] | None
    threshold: float
    traces: int
    salt_share: float

    def to_json(self) -> dict[str, Any]:
        """The JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> HeldOutScore:
        """The score that `to_json` gave."""
        interval = content["ci95"]
        return cls(**{**content, "ci95": None if interval is None else tuple(interval)})


def score(probabilities: Probabilities, masks: Masks, threshold: float) -> HeldOutScore:
    """Score predictions on held-out labels.

    Args:
        probabilities: `float32 (samples, traces)` of each section.
        masks: `uint8` of {0, 1, 255}, the same shapes; at least one label.
        threshold: probability from which a sample is salt.
    """
    counts = np.concatenate(
        [
            _by_trace(found, mask, threshold)
            for found, mask in zip(probabilities, masks, strict=True)
        ]
    )
    stretches = np.concatenate(
        [number * 10**6 + np.arange(mask.shape[1]) // BLOCK for number, mask in enumerate(masks)]
    )
    known = counts.sum(axis=1) > 0
    counts, stretches = counts[known], stretches[known]
    names = [str(each) for each in stretches.tolist()]
    interval = None
    if len(set(names)) > 1:
        sums = resampled_sums(counts, names, seed=0, resamples=RESAMPLES)
        low, high = np.quantile(dice(Tally(*sums.T)), [0.025, 0.975])
        interval = (float(low), float(high))
    total = counts.sum(axis=0)
    return HeldOutScore(
        float(dice(Tally(*total))),
        interval,
        threshold,
        len(counts),
        float((total[0] + total[2]) / total.sum()),
    )


def calibrate(probabilities: Probabilities, masks: Masks) -> tuple[float, str]:
    """Choose the threshold with the best Dice on held-out labels.

    Returns:
        The threshold, and the reason in words. `USUAL` where held-out labels have one class only,
        or where another threshold gains less than `GAIN`.
    """
    known = [mask != IGNORE for mask in masks]
    salt = np.concatenate([mask[each] for mask, each in zip(masks, known, strict=True)]) == 1
    if not salt.any() or salt.all():
        return USUAL, f"{USUAL}: the held-out labels have one class only, so nothing calibrates it"
    found = np.concatenate([each[valid] for each, valid in zip(probabilities, known, strict=True)])
    scores = np.array([_dice(found >= level, salt) for level in THRESHOLDS])
    usual = float(scores[0])
    # the middle of the plateau, which is steadier than its best point
    good = THRESHOLDS[scores >= scores.max() - GAIN / 6]
    chosen = float(good[len(good) // 2])
    gained = _dice(found >= chosen, salt)
    if gained - usual < GAIN:
        return USUAL, f"{USUAL}: held-out Dice {usual:.3f}, at best {scores.max():.3f} with another"
    return chosen, f"{chosen:g}: held-out Dice {gained:.3f}, with {USUAL} {usual:.3f}"


def _dice(predicted: NDArray[np.bool_], salt: NDArray[np.bool_]) -> float:
    both = int(predicted.sum()) + int(salt.sum())
    return 2 * int((predicted & salt).sum()) / both if both else 1.0


def _by_trace(
    probability: NDArray[np.float32], mask: NDArray[np.uint8], threshold: float
) -> NDArray[np.float64]:
    """True positives, false positives, false negatives, true negatives: `float64 (traces, 4)`."""
    predicted, salt, background = probability >= threshold, mask == 1, mask == 0
    parts = (predicted & salt, predicted & background, ~predicted & salt, ~predicted & background)
    return np.stack([part.sum(axis=0) for part in parts], axis=1).astype(np.float64)
