"""What follows every training: its best model judged on the validation part, kept and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diapir.cli.output import Output

if TYPE_CHECKING:
    from diapir.bundle import Bundle
    from diapir.config import RunConfig
    from diapir.evaluation import Evaluation

HEADLINES = {
    "dice": "Dice of all pixels",
    "iou": "IoU of all pixels",
    "dice_per_image": "Dice, mean of tiles",
    "kaggle_map": "Kaggle's mAP",
    "soft_dice": "soft Dice",
    "precision": "precision",
    "recall": "recall",
    "pixel_accuracy": "pixel accuracy",
    "ece": "calibration error",
}
"""The metrics that are printed, and how people call them."""


@dataclass(frozen=True)
class Judged:
    """A run whose best model has been judged.

    Attributes:
        evaluation: on the validation part.
        bundle: the best model, which now carries these metrics.
        report: the HTML report.
    """

    evaluation: Evaluation
    bundle: Bundle
    report: Path


def judge_run(run: Path, data: Path, config: RunConfig, output: Output) -> Judged:
    """Evaluate a run's best model on its validation part; keep the result in the run folder.

    Writes `evaluation/` and `report.html`, and records the metrics in the bundle and its card.

    Args:
        run: a run folder whose training has ended.
        data: the tiles it was trained on.
        config: the configuration it was trained with.
        output: where progress is shown.
    """
    from diapir import bundle as bundles
    from diapir.evaluation import evaluate_model
    from diapir.inference import EngineOptions, Predictor
    from diapir.reports import write_run_report
    from diapir.tiles import Split, load_tiles

    tiles = load_tiles(
        data,
        encoding=config.data.mask_encoding,
        skip_bad=config.data.skip_bad,
        groups=config.data.groups,
    )
    validation = tiles.select(Split.load(run / "split.json").part("val"))
    bundle = bundles.load(run)
    options = EngineOptions(device=config.device.name, threads=config.device.threads)
    predictor = Predictor(bundle, options)
    with output.progress("judging") as progress:
        evaluation, probabilities = evaluate_model(
            predictor, validation, part="val", progress=progress
        )
    evaluation.save(run / "evaluation")
    bundle = bundles.annotate(bundle, metrics=evaluation.metrics | {"data": evaluation.data})
    report = write_run_report(run, evaluation, validation, probabilities)
    return Judged(evaluation, bundle, report)


def summary(evaluation: Evaluation) -> Iterator[str]:
    """The headline metrics with their intervals, as lines for people."""
    data = evaluation.data
    groups = "" if data["n_groups"] == data["n_images"] else f" in {data['n_groups']} sections"
    tiles = f"{data['n_images']} tile{'s' if data['n_images'] > 1 else ''}"
    yield f"{data['name']}, part {data['part']}: {tiles}{groups}"
    metrics = evaluation.metrics
    width = max(len(name) for name in HEADLINES.values())
    for key, name in HEADLINES.items():
        interval = metrics["ci95"].get(key)  # none where all tiles are of one section
        shown = f"  (95 %: {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
        yield f"  {name:<{width}}  {metrics[key]:.4f}{shown}"
