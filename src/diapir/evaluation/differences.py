"""Paired differences between models that were evaluated on the same tiles.

All models are resampled together: a resample draws the same section groups for each of them, so
the difficulty of the drawn tiles cancels out of a difference. A model may have been trained with
several seeds; its score in each resample is the mean over its seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from diapir.errors import DataError
from diapir.evaluation.bootstrap import resampled_sums
from diapir.evaluation.metrics import Floats, Tally, summarise, tile_terms
from diapir.evaluation.result import Evaluation

if TYPE_CHECKING:
    from diapir.tiles import Split

PAIRED = ("kaggle_map", "dice", "iou")
"""Metrics that can be paired tile by tile. Soft Dice cannot: it is a mean over batches."""

Verdict = Literal["better", "worse", "no difference shown"]


@dataclass(frozen=True)
class Score:
    """A metric of a model.

    Attributes:
        value: mean over its seeds.
        low: lower end of the 95% confidence interval; None if it cannot be estimated.
        high: upper end.
        by_seed: value of each seed.
    """

    value: float
    low: float | None
    high: float | None
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """A metric of a model minus that of another.

    Attributes:
        value: positive if the model is better.
        low: lower end of the 95% confidence interval; None if it cannot be estimated.
        high: upper end.
        by_seed: each seed of the model minus the mean of the other model's seeds.
        seeds_overlap: whether the ranges of the two models' seeds overlap. None if one of them has
            a single seed, as the seed variance is then unknown.
    """

    value: float
    low: float | None
    high: float | None
    by_seed: tuple[float, ...]
    seeds_overlap: bool | None

    @property
    def verdict(self) -> Verdict:
        """Better or worse if the interval excludes 0."""
        if self.low is not None and self.low > 0:
            return "better"
        if self.high is not None and self.high < 0:
            return "worse"
        return "no difference shown"


class Comparison:
    """Scores of models on the same tiles.

    Args:
        evaluations: of each model by name, one per seed.
        seed: of the bootstrap. With the default, and one seed per model, the intervals are those
            of the evaluations.
        resamples: of the bootstrap; 0 for no intervals.

    Raises:
        DataError: the evaluations are not of the same tiles.

    Attributes:
        names: of the models, in the order given.
        evaluations: of each model by name.
    """

    def __init__(
        self,
        evaluations: Mapping[str, Sequence[Evaluation]],
        *,
        seed: int = 0,
        resamples: int = 1000,
    ) -> None:
        self.names = tuple(evaluations)
        self.evaluations = evaluations
        runs = [(name, run) for name, members in evaluations.items() for run in members]
        first_name, first = runs[0]
        for name, evaluation in runs[1:]:
            fault = _other_tiles(first, evaluation)
            if fault:
                raise _refusal(first_name, name, fault)
        groups = [tile.group for tile in sorted(first.tiles, key=lambda tile: tile.id)]
        estimable = len(set(groups)) > 1 and resamples > 0
        self._points: dict[str, list[dict[str, float]]] = {name: [] for name in self.names}
        self._resampled: dict[str, dict[str, Floats]] = {}
        for name, members in evaluations.items():
            samples = []
            for evaluation in members:
                terms = _terms(evaluation)
                sums = summarise(terms.sum(axis=0))
                self._points[name].append({key: float(sums[key]) for key in PAIRED})
                if estimable:
                    drawn = resampled_sums(terms, groups, seed=seed, resamples=resamples)
                    samples.append(summarise(drawn))
            if estimable:
                self._resampled[name] = {
                    key: np.mean([sample[key] for sample in samples], axis=0) for key in PAIRED
                }

    def score(self, name: str, key: str) -> Score:
        """A metric of a model.

        Args:
            name: the model.
            key: one of `PAIRED`, or `soft_dice`, whose interval is the mean of those in the
                evaluations of its seeds.
        """
        if key == "soft_dice":
            metrics = [evaluation.metrics for evaluation in self.evaluations[name]]
            values = tuple(float(run["soft_dice"]) for run in metrics)
            intervals = [run["ci95"]["soft_dice"] for run in metrics if "soft_dice" in run["ci95"]]
            low, high = np.mean(intervals, axis=0) if intervals else (None, None)
            return Score(_mean(values), _number(low), _number(high), values)
        values = self._values(name, key)
        if name not in self._resampled:
            return Score(_mean(values), None, None, values)
        return Score(_mean(values), *_interval(self._resampled[name][key]), values)

    def difference(self, name: str, baseline: str, key: str) -> Difference:
        """A metric of a model minus that of the baseline.

        Args:
            name: the model.
            baseline: the model it is compared with.
            key: one of `PAIRED`.
        """
        mine, others = self._values(name, key), self._values(baseline, key)
        by_seed = tuple(value - _mean(others) for value in mine)
        overlap = None
        if len(mine) > 1 and len(others) > 1:
            overlap = not (min(mine) > max(others) or max(mine) < min(others))
        low = high = None
        if name in self._resampled:
            low, high = _interval(self._resampled[name][key] - self._resampled[baseline][key])
        return Difference(_mean(mine) - _mean(others), low, high, by_seed, overlap)

    def _values(self, name: str, key: str) -> tuple[float, ...]:
        return tuple(point[key] for point in self._points[name])


def check_comparable(
    first: str, evaluation: Evaluation, split: Split, name: str, other: Evaluation, theirs: Split
) -> None:
    """Refuse a run that was evaluated or trained on other tiles than the first.

    Args:
        first: name of the first run.
        evaluation: of the first run.
        split: of the first run.
        name: name of the other run.
        other: evaluation of the other run.
        theirs: split of the other run.

    Raises:
        DataError: the tiles differ.
    """
    fault = _other_tiles(evaluation, other)
    if not fault and split.hash != theirs.hash:
        mine, others = set(split.part("train")), set(theirs.part("train"))
        fault = (
            f"their splits differ ({split.hash[:12]}… and {theirs.hash[:12]}…): {len(mine)} and "
            f"{len(others)} training tiles, {len(mine & others)} in common"
        )
    if fault:
        raise _refusal(first, name, fault)


def _refusal(first: str, name: str, fault: str) -> DataError:
    return DataError(
        f"{name} cannot be compared with {first}: {fault}",
        expected="runs with the same data and the same split",
        fix="train them with one split (--set data.split=FILE), leave this run out, or train them "
        "all with `diapir compare --recipes … --data PATH`",
    )


def _other_tiles(first: Evaluation, other: Evaluation) -> str:
    """How the tiles of two evaluations differ; empty if they are the same."""
    if first.data["hash"] == other.data["hash"]:
        return ""
    mine, theirs = ({tile.id for tile in run.tiles} for run in (first, other))
    shared = len(mine & theirs)
    described = " and ".join(
        f"{run.data['n_images']} tiles of {run.data['name']}, part {run.data['part']} "
        f"({run.data['hash'][:12]}…)"
        for run in (first, other)
    )
    if mine == theirs:
        return (
            f"they were evaluated on {described}: the ids are the same, but images or masks differ"
        )
    return f"they were evaluated on {described}, with {shared} ids in common"


def _terms(evaluation: Evaluation) -> Floats:
    """`tile_terms` of an evaluation's tiles in id order, rounded to whole pixels; without bins."""
    tiles = sorted(evaluation.tiles, key=lambda tile: tile.id)
    pixels, coverage, predicted, dice = np.array(
        [(tile.pixels, tile.coverage, tile.predicted, tile.dice) for tile in tiles]
    ).T
    salt, positive = np.rint(coverage * pixels), np.rint(predicted * pixels)
    tp = np.rint(dice * (salt + positive) / 2)
    tally = Tally(tp=tp, fp=positive - tp, fn=salt - tp, tn=pixels - salt - positive + tp)
    return tile_terms(tally, np.zeros((len(tiles), 0)))


def _interval(samples: Floats) -> tuple[float, float]:
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
