"""What each metric means, once: the same functions serve one tile, all tiles and every resample.

Scores are ratios of pixel counts. All of them follow one rule for 0/0: where there was nothing to
find and nothing was found the score is 1; where only one of the two is empty it is 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SALT = 1
"""Mask value of salt."""
SOFT_BATCH = 8
"""Tiles pooled into one soft Dice."""
KAGGLE_THRESHOLDS: Floats = np.arange(50, 100, 5) / 100
"""0.50, 0.55 … 0.95, each the double nearest to it. A ratio of counts that equals one of them is
rounded to the very same double, so `>` is exact; thresholds that are summed up or float32 are not.
"""


class Tally(NamedTuple):
    """Valid pixels by truth and prediction: four arrays of one shape, of tiles or of sums of tiles.

    Attributes:
        hit: salt, predicted as salt.
        false: background, predicted as salt.
        missed: salt, predicted as background.
        rest: background, predicted as background.
    """

    hit: Floats
    false: Floats
    missed: Floats
    rest: Floats

    def pooled(self) -> Tally:
        """All tiles together, as if they were one."""
        return Tally(*(counts.sum() for counts in self))


def dice(tally: Tally) -> Floats:
    """2·hit / (predicted + salt)."""
    return _ratio(2 * tally.hit, 2 * tally.hit + tally.false + tally.missed, tally)


def iou(tally: Tally) -> Floats:
    """Intersection over union: hit / (predicted or salt)."""
    return _ratio(tally.hit, tally.hit + tally.false + tally.missed, tally)


def precision(tally: Tally) -> Floats:
    """The share of the predicted salt that is salt."""
    return _ratio(tally.hit, tally.hit + tally.false, tally)


def recall(tally: Tally) -> Floats:
    """The share of the salt that was predicted."""
    return _ratio(tally.hit, tally.hit + tally.missed, tally)


def pixel_accuracy(tally: Tally) -> Floats:
    """The share of the valid pixels that are right."""
    return (tally.hit + tally.rest) / (tally.hit + tally.false + tally.missed + tally.rest)


def kaggle_ap(tally: Tally) -> Floats:
    """Kaggle's score of each tile: the share of the ten thresholds that its IoU exceeds.

    A tile holds one mask, so the official precision TP / (TP + FP + FN) at a threshold is 1 where
    IoU > t and 0 elsewhere. An empty truth has IoU 1 with an empty prediction and 0 with any other,
    which gives the official 1 and 0.
    """
    exceeded: Floats = (iou(tally)[..., None] > KAGGLE_THRESHOLDS).mean(axis=-1)
    return exceeded


def soft_dice(terms: Floats) -> Floats:
    """Soft Dice of salt: 2·Σp·g / (Σp + Σg).

    Args:
        terms: `(..., 3)`, the sums Σp·g, Σp and Σg over the valid pixels that are pooled.

    Returns:
        `(...)` in [0, 1]; 1 where both Σp and Σg are 0.
    """
    overlap, probability, salt = np.moveaxis(terms, -1, 0)
    both = probability + salt
    return np.where(both > 0, 2 * overlap / np.where(both > 0, both, 1), 1.0)


def soft_dice_of_batches(terms: Floats) -> Floats:
    """Soft Dice of each batch of 8 tiles; their mean is the seed's soft Dice.

    Args:
        terms: `(N, 3)` as `soft_dice` takes them, a tile a row, in the order of the batches.

    Returns:
        `(batches,)`; the last batch may have fewer tiles, and counts as much as the others.
    """
    return soft_dice(np.add.reduceat(terms, np.arange(0, len(terms), SOFT_BATCH), axis=0))


def calibration_error(gaps: Floats, pixels: Floats) -> Floats:
    """Expected calibration error of the probability of salt (Naeini et al. 2015, binary form).

    The mean over pixels of |mean probability − share of salt| of a pixel's bin. As both means
    have the bin's pixels below them, that is Σ|Σp − Σg| over bins, divided by all pixels.

    Args:
        gaps: `(..., bins)`, Σp − Σg of each bin.
        pixels: `(...)`, valid pixels.
    """
    error: Floats = np.abs(gaps).sum(axis=-1) / pixels
    return error


def tile_terms(tally: Tally, gaps: Floats) -> Floats:
    """What of each tile has to be added up, so that sums over any tiles give their metrics.

    Args:
        tally: counts of N tiles.
        gaps: `(N, bins)` as `calibration_error` takes them.

    Returns:
        `float64 (N, 8 + bins)`, for `summarise`.
    """
    per_image = (np.ones(len(gaps)), dice(tally), iou(tally), kaggle_ap(tally))
    return np.column_stack([*tally, *per_image, gaps])


def summarise(sums: Floats) -> dict[str, Floats]:
    """All metrics but soft Dice, from `tile_terms` added up over tiles.

    Args:
        sums: `(..., 8 + bins)`; leading axes are resamples.

    Returns:
        arrays `(...)` by the metric's key.
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
    nothing = tally.hit + tally.false + tally.missed == 0
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), nothing.astype(np.float64))
