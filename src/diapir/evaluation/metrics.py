"""Definitions of all metrics; the same functions score one tile, all tiles and bootstrap resamples.

Scores are ratios of pixel counts. One rule settles 0/0 in all of them: the score is 1 if neither
the ground truth nor the prediction has salt, and 0 if only one of them has.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SALT = 1
"""Mask value of salt."""
SOFT_BATCH = 8
"""Number of tiles that are pooled into one soft Dice."""
KAGGLE_THRESHOLDS: Floats = np.arange(50, 100, 5) / 100
"""0.50, 0.55 … 0.95, each the double nearest to it. A ratio of counts that equals one of them is
rounded to the same double, so `>` is exact; float32 or accumulated thresholds would not be.
"""


class Tally(NamedTuple):
    """Confusion counts of valid pixels: four arrays of one shape, for tiles or sums of tiles.

    Attributes:
        tp: true positives, salt predicted as salt.
        fp: false positives, background predicted as salt.
        fn: false negatives, salt predicted as background.
        tn: true negatives, background predicted as background.
    """

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    def pooled(self) -> Tally:
        """Counts of all tiles together."""
        return Tally(*(counts.sum() for counts in self))


def dice(tally: Tally) -> Floats:
    """2·TP / (2·TP + FP + FN)."""
    return _ratio(2 * tally.tp, 2 * tally.tp + tally.fp + tally.fn, tally)


def iou(tally: Tally) -> Floats:
    """Intersection over union: TP / (TP + FP + FN)."""
    return _ratio(tally.tp, tally.tp + tally.fp + tally.fn, tally)


def precision(tally: Tally) -> Floats:
    """TP / (TP + FP): the share of predicted salt that is salt."""
    return _ratio(tally.tp, tally.tp + tally.fp, tally)


def recall(tally: Tally) -> Floats:
    """TP / (TP + FN): the share of salt that was predicted."""
    return _ratio(tally.tp, tally.tp + tally.fn, tally)


def pixel_accuracy(tally: Tally) -> Floats:
    """(TP + TN) / all: the share of valid pixels that are predicted correctly."""
    return (tally.tp + tally.tn) / (tally.tp + tally.fp + tally.fn + tally.tn)


def kaggle_ap(tally: Tally) -> Floats:
    """Kaggle's score of each tile: the share of the ten IoU thresholds that its IoU exceeds.

    A tile has one mask, so the official precision TP / (TP + FP + FN) at threshold t is 1 if
    IoU > t, else 0. A tile without salt has IoU 1 with an empty prediction and 0 with any other,
    which gives the official 1 and 0.
    """
    exceeded: Floats = (iou(tally)[..., None] > KAGGLE_THRESHOLDS).mean(axis=-1)
    return exceeded


def soft_dice(terms: Floats) -> Floats:
    """Soft Dice of salt: 2·Σp·g / (Σp + Σg).

    Args:
        terms: `(..., 3)`, the sums Σp·g, Σp and Σg over the pooled valid pixels.

    Returns:
        `(...)` in [0, 1]; 1 if both Σp and Σg are 0.
    """
    overlap, probability, salt = np.moveaxis(terms, -1, 0)
    both = probability + salt
    return np.where(both > 0, 2 * overlap / np.where(both > 0, both, 1), 1.0)


def soft_dice_of_batches(terms: Floats) -> Floats:
    """Soft Dice of each batch of 8 tiles; the metric `soft_dice` is their mean.

    Args:
        terms: `(N, 3)` as in `soft_dice`, one row per tile, in batch order.

    Returns:
        `(batches,)`; the last batch may have fewer tiles but has the same weight.
    """
    return soft_dice(np.add.reduceat(terms, np.arange(0, len(terms), SOFT_BATCH), axis=0))


def calibration_error(gaps: Floats, pixels: Floats) -> Floats:
    """Expected calibration error of the probability of salt (Naeini et al. 2015, binary form).

    The mean over pixels of |mean probability − share of salt| in a pixel's bin, which equals
    Σ|Σp − Σg| over bins, divided by the number of pixels.

    Args:
        gaps: `(..., bins)`, Σp − Σg of each bin.
        pixels: `(...)`, valid pixels.
    """
    error: Floats = np.abs(gaps).sum(axis=-1) / pixels
    return error


def tile_terms(tally: Tally, gaps: Floats) -> Floats:
    """Additive terms of each tile: their sum over any tiles gives the metrics of these tiles.

    Args:
        tally: counts of N tiles.
        gaps: `(N, bins)` as in `calibration_error`.

    Returns:
        `float64 (N, 8 + bins)`, for `summarise`.
    """
    per_image = (np.ones(len(gaps)), dice(tally), iou(tally), kaggle_ap(tally))
    return np.column_stack([*tally, *per_image, gaps])


def summarise(sums: Floats) -> dict[str, Floats]:
    """All metrics except soft Dice, from `tile_terms` summed over tiles.

    Args:
        sums: `(..., 8 + bins)`; leading axes are resamples.

    Returns:
        metric key → array `(...)`.
    """
    columns = np.moveaxis(sums, -1, 0)
    tally = Tally(*columns[:4])
    images, dice_sum, iou_sum, kaggle_sum = columns[4:8]
    return {
        "dice": dice(tally),
        "iou": iou(tally),
        "dice_per_image": dice_sum / images,
        "iou_per_image": iou_sum / images,
        "kaggle_map": kaggle_sum / images,
        "precision": precision(tally),
        "recall": recall(tally),
        "pixel_accuracy": pixel_accuracy(tally),
        "ece": calibration_error(sums[..., 8:], columns[:4].sum(axis=0)),
    }


def _ratio(part: Floats, whole: Floats, tally: Tally) -> Floats:
    """`part / whole` with this module's rule for 0/0."""
    no_salt = tally.tp + tally.fp + tally.fn == 0
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), no_salt.astype(np.float64))
