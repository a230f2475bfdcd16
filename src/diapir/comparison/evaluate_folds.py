"""Folds trained and evaluated: each on what it held out, and all out of fold, with a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from diapir import bundle as bundles
from diapir.comparison.evaluate_run import evaluate_run
from diapir.comparison.train_folds import train_folds
from diapir.comparison.trainings import is_evaluated
from diapir.config import RunConfig
from diapir.evaluation import save_in_sections
from diapir.evaluation.evaluate_models import Evaluated, evaluate_models
from diapir.progress import ShowProgress
from diapir.reports import write_evaluation_report
from diapir.run.folder import EVALUATION, REPORT
from diapir.run.folds import fold_runs
from diapir.training import TrainResult


@dataclass(frozen=True)
class EvaluatedFolds:
    """Folds that have been evaluated, each tile by the run that held it out.

    Attributes:
        result: the scores of all tiles.
        report: the HTML report.
    """

    result: Evaluated
    report: Path


def evaluate_folds(
    folder: Path, data: Path, config: RunConfig, count: int, show: ShowProgress
) -> EvaluatedFolds:
    """Evaluate folds out of fold, and keep the result in their folder.

    Writes `evaluation/` and `report.html`.

    Args:
        folder: of the folds, all of which are trained.
        data: the tiles they were trained on.
        config: the configuration they were trained with.
        count: number of folds.
        show: opens a progress display.
    """
    runs = fold_runs(folder, count)
    mosaic = config.data.mosaic
    done = evaluate_models(
        runs,
        data,
        mosaic=None if mosaic is None else Path(mosaic),
        encoding=config.data.mask_encoding,
        skip_bad=config.data.skip_bad,
        show=show,
    )
    done.evaluation.save(folder / EVALUATION)
    save_in_sections(folder / EVALUATION, done.in_sections)
    report = write_evaluation_report(
        folder / REPORT,
        done.evaluation,
        done.predictions.tiles,
        done.predictions.probabilities,
        *(bundles.load(run) for run in runs),
        in_sections=done.in_sections,
    )
    return EvaluatedFolds(done, report)


def train_and_evaluate(
    config: RunConfig,
    data: Path,
    folder: Path,
    folds: int,
    *,
    init: str | None = None,
    resume: bool = False,
    budget_s: float | None = None,
    stream: TextIO,
    show: ShowProgress,
) -> tuple[list[TrainResult], EvaluatedFolds]:
    """Train all folds that are not done yet, evaluate each, then all out of fold.

    Args:
        config: the recipe.
        data: labelled tiles in any layout.
        folder: of the folds.
        folds: number of folds.
        init: as for `train_folds`.
        resume: as for `train_folds`.
        budget_s: as for `train_folds`.
        stream: where lines or the progress display of a training go.
        show: opens a progress display of an evaluation.
    """
    done = []
    for result in train_folds(
        config,
        data,
        folder,
        folds=folds,
        init=init,
        resume=resume,
        budget_s=budget_s,
        stream=stream,
    ):
        if not is_evaluated(result.run):
            with show(f"evaluating {result.run.name}") as progress:
                evaluate_run(result.run, data, config, progress)
        done.append(result)
    return done, evaluate_folds(folder, data, config, folds, show)
