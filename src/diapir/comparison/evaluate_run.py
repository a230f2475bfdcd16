"""The last step of every training: evaluate its best model on the validation part, and report."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from diapir import bundle as bundles
from diapir.architectures import OtherConfig
from diapir.bundle import Bundle
from diapir.comparison.candidates import labelled_tiles
from diapir.config import RunConfig
from diapir.errors import DataError
from diapir.evaluation import (
    Evaluation,
    InSections,
    SectionModels,
    evaluate_in_sections,
    evaluate_model,
    open_sections,
    save_in_sections,
)
from diapir.evaluation.held_out import plan_run, split_notes
from diapir.inference import Engine, EngineOptions, Predictor
from diapir.progress import Progress, ShowProgress
from diapir.reports import write_run_report
from diapir.run.folder import EVALUATION, SPLIT, run_config
from diapir.tiles import Split, TileSet

if TYPE_CHECKING:
    from diapir.models.custom import Module


@dataclass(frozen=True)
class EvaluatedRun:
    """A run whose best model has been evaluated.

    Attributes:
        evaluation: on the validation part.
        bundle: the best model, which now carries these metrics.
        report: the HTML report.
        in_sections: scores of validation tiles inside their sections, if the recipe has a mosaic.
        notes: lines for the user, such as why there are no scores in sections.
    """

    evaluation: Evaluation
    bundle: Bundle
    report: Path
    in_sections: InSections | None = None
    notes: tuple[str, ...] = ()


def evaluate_run(
    run: Path,
    data: Path | TileSet,
    config: RunConfig,
    progress: Progress | None = None,
    *,
    module: Module | None = None,
) -> EvaluatedRun:
    """Evaluate a run's best model on its validation part, and keep the result in the run folder.

    Writes `evaluation/` and `report.html`, and records the metrics in the bundle and its card. If
    the recipe has `data.mosaic`, validation tiles are scored inside their sections as well.

    Args:
        run: the folder of a finished training.
        data: the tiles it was trained on.
        config: the configuration it was trained with.
        progress: called with the tiles done and all tiles.
        module: the network, where it was given from Python.
    """
    tiles = labelled_tiles(data, config.data)
    split = Split.load(run / SPLIT)
    validation = tiles.select(split.part("val"))
    bundle = bundles.load(run)
    options = EngineOptions(device=config.device.name, threads=config.device.threads)
    predictor = Predictor(bundle, options, engine=_engine(bundle, options, module))
    evaluation, probabilities = evaluate_model(predictor, validation, part="val", progress=progress)
    planned = plan_run(run, tiles)
    evaluation = replace(evaluation, data=evaluation.data | planned.record)
    notes = (*planned.notes, *split_notes(tiles))
    found: InSections | None = None
    try:
        if config.data.mosaic is not None:
            sections = open_sections(Path(config.data.mosaic), tiles, validation.ids)
            models = SectionModels(
                frozenset(validation.ids), predictor, frozenset(split.part("train"))
            )
            found = evaluate_in_sections(
                sections, evaluation, validation, probabilities, [models], progress
            )
            notes += found.notes
    except DataError as error:
        # the training is done, and a mosaic without validation tiles is no reason to lose its end
        notes += (f"not evaluated in sections: {error.found}",)
    evaluation.save(run / EVALUATION)
    save_in_sections(run / EVALUATION, found)
    in_sections = {"in_sections": found.block()} if found else {}
    bundle = bundles.annotate(
        bundle, metrics=in_sections | evaluation.metrics | {"data": evaluation.data}
    )
    report = write_run_report(run, evaluation, validation, probabilities, found, notes)
    return EvaluatedRun(evaluation, bundle, report, found, notes)


def evaluate_again(
    runs: Sequence[Path], data: Path | TileSet, show: ShowProgress
) -> list[EvaluatedRun]:
    """Evaluate runs with the settings that their models have now, and rewrite their reports.

    Args:
        runs: run folders.
        data: the tiles they were trained on.
        show: opens a progress display for each.
    """
    done = []
    for run in runs:
        with show("evaluating") as progress:
            done.append(evaluate_run(run, data, run_config(run), progress))
    return done


def _engine(bundle: Bundle, options: EngineOptions, module: Module | None) -> Engine | None:
    """The engine of a network that was given from Python; None for the usual one."""
    if module is None or not isinstance(bundle.info.model, OtherConfig):
        return None
    from diapir.inference.engines.torch_engine import open_torch

    module = copy.deepcopy(module)  # its own weights are those of the last epoch, not of the best
    return open_torch(bundle, device=options.device, threads=options.threads, module=module)
