"""Confidence intervals by resampling section groups (percentile bootstrap, Efron 1979).

Tiles of one section resemble each other, so whole groups are drawn, with replacement, as many as
there are. Only sums of each group are resampled; no pixel is looked at again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from diapir.evaluation.metrics import SOFT_BATCH, Floats, soft_dice_of_batches, summarise


def intervals(
    terms: Floats, soft_terms: Floats, groups: Sequence[str], *, seed: int, resamples: int
) -> dict[str, list[float]]:
    """The 95 % interval of every metric: the 2.5 and 97.5 percentiles over resamples.

    Soft Dice is a mean over batches, which stay as they are: batches are drawn, those of one
    section together. A batch goes with the group that most of its tiles belong to (of equals the
    first). Batches formed anew of drawn tiles would score another thing wherever ids have an order,
    and weights within a batch would act as a smaller batch, whose soft Dice is lower.

    The calibration error, a mean of absolute differences, grows with noise: its interval tends to
    lie high, and may lie above the score where that is near 0.

    Args:
        terms: `(N, K)` of `tile_terms`, tiles in id order.
        soft_terms: `(N, 3)` as `soft_dice_of_batches` takes them, tiles in id order.
        groups: the section group of each tile.
        seed: of the drawing.
        resamples: how many; 0 for no intervals.

    Returns:
        `{key: [low, high]}`. Metrics are left out that have fewer than two groups, of which nothing
        can be estimated; soft Dice may be the only one.
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
    """Sums over the drawn groups of each resample; the same groups and seed draw the same ones.

    Args:
        terms: `(N, K)`, a tile a row.
        groups: the section group of each tile.
        seed: of the drawing.
        resamples: how many.

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
