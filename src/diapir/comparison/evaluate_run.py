"""The last step of every training: evaluate its best model on the validation part, and report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from diapir import bundle as bundles
from diapir.bundle import Bundle
from diapir.comparison.candidates import labelled_tiles
from diapir.config import RunConfig
from diapir.evaluation import Evaluation, evaluate_model
from diapir.inference import EngineOptions, Predictor
from diapir.progress import Progress
from diapir.reports import write_run_report
from diapir.run.folder import EVALUATION, SPLIT
from diapir.tiles import Split


@dataclass(frozen=True)
class EvaluatedRun:
    """A run whose best model has been evaluated.

    Attributes:
        evaluation: on the validation part.
        bundle: the best model, which now carries these metrics.
        report: the HTML report.
    """

    evaluation: Evaluation
    bundle: Bundle
    report: Path


def evaluate_run(
    run: Path, data: Path, config: RunConfig, progress: Progress | None = None
) -> EvaluatedRun:
    """Evaluate a run's best model on its validation part, and keep the result in the run folder.

    Writes `evaluation/` and `report.html`, and records the metrics in the bundle and its card.

    Args:
        run: the folder of a finished training.
        data: the tiles it was trained on.
        config: the configuration it was trained with.
        progress: called with the tiles done and all tiles.
    """
    tiles = labelled_tiles(data, config.data)
    validation = tiles.select(Split.load(run / SPLIT).part("val"))
    bundle = bundles.load(run)
    options = EngineOptions(device=config.device.name, threads=config.device.threads)
    predictor = Predictor(bundle, options)
    evaluation, probabilities = evaluate_model(predictor, validation, part="val", progress=progress)
    evaluation.save(run / EVALUATION)
    bundle = bundles.annotate(bundle, metrics=evaluation.metrics | {"data": evaluation.data})
    report = write_run_report(run, evaluation, validation, probabilities)
    return EvaluatedRun(evaluation, bundle, report)
