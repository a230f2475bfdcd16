"""Confidence intervals by resampling section groups (percentile bootstrap, Efron 1979).

Tiles of one section are correlated, so a resample draws whole groups with replacement, as many as
there are. Only the sums of each group are resampled; no pixel is read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from diapir.evaluation.metrics import SOFT_BATCH, Floats, soft_dice_of_batches, summarise


def intervals(
    terms: Floats, soft_terms: Floats, groups: Sequence[str], *, seed: int, resamples: int
) -> dict[str, list[float]]:
    """95% confidence intervals of every metric: the 2.5 and 97.5 percentiles over resamples.

    Soft Dice is a mean over batches, and the batches stay fixed: whole batches are drawn, those of
    one section together. A batch belongs to the group of most of its tiles (the first one on a
    tie). New batches of drawn tiles would measure something else wherever the order of ids has a
    meaning, and weights within a batch would act like a smaller batch, whose soft Dice is lower.

    The calibration error is a mean of absolute differences, which noise increases: its interval is
    biased upwards and may lie above a score near 0.

    Args:
        terms: `(N, K)` of `tile_terms`, tiles in id order.
        soft_terms: `(N, 3)` as in `soft_dice_of_batches`, tiles in id order.
        groups: the section group of each tile.
        seed: of the random draws.
        resamples: number of resamples; 0 for no intervals.

    Returns:
        `{key: [low, high]}`. A metric with fewer than two groups is left out, as its variance
        cannot be estimated; soft Dice may be the only one.
    """
    if resamples == 0:
        return {}
    scores: dict[str, Floats] = {}
    if len(set(groups)) > 1:
        scores |= summarise(resampled_sums(terms, groups, seed=seed, resamples=resamples))
    batch_scores = soft_dice_of_batches(soft_terms)
    batch_groups = [
        Counter(groups[start : start + SOFT_BATCH]).most_common(1)[0][0]
        for start in range(0, len(groups), SOFT_BATCH)
    ]
    if len(set(batch_groups)) > 1:
        batch_terms = np.column_stack([batch_scores, np.ones(len(batch_scores))])
        sums = resampled_sums(batch_terms, batch_groups, seed=seed, resamples=resamples)
        scores["soft_dice"] = sums[:, 0] / sums[:, 1]
    return {key: np.quantile(values, [0.025, 0.975]).tolist() for key, values in scores.items()}


def resampled_sums(terms: Floats, groups: Sequence[str], *, seed: int, resamples: int) -> Floats:
    """Sums over the drawn groups of each resample; equal groups and seed give equal draws.

    Args:
        terms: `(N, K)`, one row per tile.
        groups: the section group of each tile.
        seed: of the random draws.
        resamples: number of resamples.

    Returns:
        `(resamples, K)`.
    """
    number = {name: index for index, name in enumerate(dict.fromkeys(groups))}
    by_group = np.zeros((len(number), terms.shape[1]))
    np.add.at(by_group, [number[group] for group in groups], terms)
    generator = np.random.default_rng(seed)
    sums = np.empty((resamples, terms.shape[1]))
    for resample in range(resamples):
        drawn = generator.integers(len(number), size=len(number))
        sums[resample] = np.bincount(drawn, minlength=len(number)) @ by_group
    return sums
