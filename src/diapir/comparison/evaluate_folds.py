"""The last step of a training of folds: evaluate them out of fold, and report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diapir import bundle as bundles
from diapir.config import RunConfig
from diapir.evaluation import save_in_sections
from diapir.evaluation.evaluate_models import Evaluated, evaluate_models
from diapir.progress import ShowProgress
from diapir.reports import write_evaluation_report
from diapir.run.folder import EVALUATION, REPORT
from diapir.run.folds import fold_runs


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
