"""The results of a comparison: computed once here, formatted by every table, page and file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig
from diapir.evaluation.differences import PAIRED, Comparison, Difference, Score
from diapir.evaluation.nothing import beats_nothing, predicts_nothing
from diapir.evaluation.result import Evaluation
from diapir.run.history import History

if TYPE_CHECKING:
    from diapir.inference import Latency
    from diapir.tiles import Split, TileSet

SCORES = ("kaggle_map", "dice", "iou", "soft_dice")
"""The metrics of a leaderboard."""

Ranking = Literal["kaggle_map", "dice"]
Outcome = Literal["better", "worse", "tied"]


@dataclass(frozen=True)
class Cost:
    """Cost of training and running a model.

    Attributes:
        parameters: number of trainable values; None if it could not be counted.
        multiply_adds: MACs of one tile at the model's input size; None likewise.
        latency: None if it could not be measured.
        peak_memory: bytes, of the largest training process; None if unknown.
        tiles_per_s: training speed: the median over epochs, then the mean over runs; nan if
            unknown.
        training_s: seconds of training steps, the mean over runs.
        epochs: epochs trained, one number per run.
        best_epochs: epoch of the best model, one number per run that has one.
        whole_epochs: completed epochs, one number per run; None if unknown.
    """

    parameters: int | None = None
    multiply_adds: int | None = None
    latency: Latency | None = None
    peak_memory: int | None = None
    tiles_per_s: float = math.nan
    training_s: float = math.nan
    epochs: tuple[int, ...] = ()
    best_epochs: tuple[int, ...] = ()
    whole_epochs: tuple[int | None, ...] = ()

    @classmethod
    def of_training(
        cls,
        histories: Sequence[History],
        peak_memory: int | None = None,
        whole_epochs: Sequence[int | None] = (),
    ) -> Cost:
        """The cost of training alone.

        Args:
            histories: the metrics.csv of each run; at least one.
            peak_memory: bytes, of the largest training process.
            whole_epochs: completed epochs of each run; None if unknown.
        """
        speeds = [history.column("tiles_per_s") for history in histories]
        known = [float(np.nanmedian(speed)) for speed in speeds if np.isfinite(speed).any()]
        return cls(
            peak_memory=peak_memory,
            tiles_per_s=float(np.mean(known)) if known else math.nan,
            training_s=float(np.mean([history.seconds() for history in histories])),
            epochs=tuple(len(history) for history in histories),
            best_epochs=tuple(one.best_epoch for one in histories if one.best_epoch),
            whole_epochs=tuple(whole_epochs),
        )


@dataclass(frozen=True)
class Candidate:
    """A model in a comparison: one recipe, trained with one seed or several.

    Attributes:
        name: unique in the comparison.
        config: of its first run.
        seeds: of its runs.
        cost: as far as it is known.
        runs: its run folders.
        probabilities: float32 (H, W) of salt, by tile id, of the tiles that are shown.
        in_sections: the scores in sections of its runs, as `InSections.block`; empty if a run has
            none.
    """

    name: str
    config: RunConfig
    seeds: tuple[int, ...]
    cost: Cost
    runs: tuple[Path, ...] = ()
    probabilities: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    in_sections: tuple[Mapping[str, Any], ...] = ()

    @property
    def dice_in_sections(self) -> Score | None:
        """Dice in sections, the mean over runs; its interval for a single run only."""
        if not self.in_sections:
            return None
        values = tuple(float(block["dice"]) for block in self.in_sections)
        interval = self.in_sections[0]["ci95"].get("dice") if len(values) == 1 else None
        low, high = interval or (None, None)
        return Score(float(np.mean(values)), low, high, values)


class Failure(NamedTuple):
    """A training that failed, or a model that could not be measured."""

    name: str
    reason: str
    fix: str


@dataclass(frozen=True)
class Standing:
    """A row of the leaderboard.

    Attributes:
        rank: from 1.
        name: of the model.
        score: the metric that ranks, with its 95% CI.
        difference: from the baseline in that metric; None for the baseline itself.
        tied: whether it ranks below the first without being significantly worse.
        scores: every metric of `SCORES`.
        differences: from the baseline, every metric of `PAIRED`; empty for the baseline itself.
        tile_ms: latency of one tile in milliseconds; None if it could not be measured.
        cost: all costs.
        candidate: the model.
        fault: why its score bears no verdict; empty if it does.
    """

    rank: int
    name: str
    score: Score
    difference: Difference | None
    tied: bool
    scores: Mapping[str, Score]
    differences: Mapping[str, Difference]
    tile_ms: float | None
    cost: Cost
    candidate: Candidate
    fault: str = ""


@dataclass(frozen=True)
class Results:
    """Everything a comparison has found.

    Attributes:
        comparison: the scores.
        candidates: the models by name, in the order given.
        baseline: name of the model that the others are compared with.
        by: the metric that ranks.
        split: the split that all were trained and evaluated with.
        terms: how the models were trained and measured: name and value.
        command: the command line that reproduces it; may be empty.
        failures: what failed.
        tiles: the labelled tiles evaluated on; None if they are not available.
    """

    comparison: Comparison
    candidates: Mapping[str, Candidate]
    baseline: str
    by: Ranking
    split: Split
    terms: Sequence[tuple[str, str]] = ()
    command: str = ""
    failures: Sequence[Failure] = ()
    tiles: TileSet | None = None

    @cached_property
    def standings(self) -> list[Standing]:
        """The leaderboard, best first."""
        scores = {
            name: {key: self.comparison.score(name, key) for key in SCORES}
            for name in self.candidates
        }
        ranked = sorted(self.candidates, key=lambda name: -scores[name][self.by].value)
        return [
            self._standing(rank, name, ranked[0], scores[name])
            for rank, name in enumerate(ranked, 1)
        ]

    @cached_property
    def has_sections(self) -> bool:
        """Whether a model has scores in sections, and all that have them the same tiles."""
        keys = ("mosaic", "n_tiles", "n_sections")
        evaluated = {
            tuple(block[key] for key in keys)
            for one in self.candidates.values()
            for block in one.in_sections
        }
        return len(evaluated) == 1

    @cached_property
    def fastest_tied(self) -> Standing | None:
        """The fastest model among the first and those tied with it; None if it is the first."""
        first = self.standings[0]
        timed = [one for one in self.standings if one is first or one.tied]
        timed = [one for one in timed if one.tile_ms is not None and not first.fault]
        fastest = min(timed, key=lambda one: one.tile_ms or 0.0, default=first)
        return None if fastest is first else fastest

    @cached_property
    def evaluation(self) -> Evaluation:
        """The evaluation of the first run: all have its data and tiles in common."""
        return next(iter(self.comparison.evaluations.values()))[0]

    @cached_property
    def nothing(self) -> dict[str, float]:
        """The scores of predicting no salt, every metric of `SCORES`."""
        metrics = predicts_nothing(self.evaluation).metrics
        return {key: metrics[key] for key in SCORES}

    def fault(self, name: str) -> str:
        """Why the score of a model bears no verdict; empty if it does."""
        if 0 in self.candidates[name].cost.whole_epochs:
            return "no epoch was completed"
        evaluations = self.comparison.evaluations[name]
        trained = max((run.data.get("n_training_tiles") or 0) for run in evaluations)
        if trained:
            return f"trained on {trained} of the evaluated tiles"
        scores = {key: self.comparison.score(name, key).value for key in SCORES}
        if not beats_nothing(scores, self.nothing, self.by):
            return "not better than predicting nothing"
        return ""

    def no_verdict(self, one: Standing) -> str:
        """Why a model cannot be compared with the baseline; empty if it can, or is the baseline."""
        if one.name == self.baseline:
            return ""
        if one.fault:
            return one.fault
        fault = self.fault(self.baseline)
        return f"{self.baseline}: {fault}" if fault else ""

    def _standing(self, rank: int, name: str, first: str, scores: Mapping[str, Score]) -> Standing:
        differences = {}
        if name != self.baseline:
            differences = {
                key: self.comparison.difference(name, self.baseline, key) for key in PAIRED
            }
        candidate = self.candidates[name]
        fault = self.fault(name)
        bears = not fault and not self.fault(first)
        latency = candidate.cost.latency
        return Standing(
            rank=rank,
            name=name,
            score=scores[self.by],
            difference=differences.get(self.by),
            tied=rank > 1
            and bears
            and outcome(self.comparison.difference(name, first, self.by)) != "worse",
            scores=scores,
            differences=differences,
            tile_ms=latency.tile_ms if latency else None,
            cost=candidate.cost,
            candidate=candidate,
            fault=fault,
        )


def outcome(difference: Difference) -> Outcome:
    """Whether a difference is significant: not where the seeds of both models overlap."""
    if difference.seeds_overlap:
        return "tied"
    if difference.verdict == "better":
        return "better"
    return "worse" if difference.verdict == "worse" else "tied"
