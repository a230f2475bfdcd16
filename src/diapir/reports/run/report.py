"""The report of a run or of an evaluation, as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir.bundle import Bundle
from diapir.config import RunConfig
from diapir.errors import DiapirError
from diapir.evaluation.breakdown import COVERAGE_NAMES
from diapir.evaluation.nothing import predicts_nothing
from diapir.reports.page import common, css, write_page
from diapir.reports.run import facts, figures
from diapir.reports.run.findings import findings
from diapir.reports.run.gallery import Gallery, probability_colours
from diapir.reports.run.section_gallery import headline, in_sections_content, in_sections_finding
from diapir.run.folder import METRICS, REPORT, SPLIT, saved_config
from diapir.run.history import read_history
from diapir.text import plural

if TYPE_CHECKING:
    from diapir.evaluation import Evaluation, InSections
    from diapir.tiles import Split, TileSet

Probabilities = Sequence[NDArray[np.float32]]

TEMPLATE = "report.html.j2"


def write_run_report(
    run: Path,
    evaluation: Evaluation,
    tiles: TileSet,
    probabilities: Probabilities,
    in_sections: InSections | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write `report.html` into a run folder: training, curves and evaluation.

    Files that the folder lacks (config.yaml, split.json, metrics.csv, best/) are left out.

    Args:
        run: the run folder.
        evaluation: the best model on the validation part.
        tiles: the validation part, labelled.
        probabilities: salt probability of each tile, float32 (H, W), in the order of the tiles.
        in_sections: scores of tiles inside their sections, if there are any.
        notes: where scores are optimistic.

    Returns:
        The path of the report.

    Raises:
        RunError: the report cannot be written; an earlier one is kept.
    """
    config = _config(run)
    history = read_history(run / METRICS)
    bundle = _bundle(run)
    split = _split(run / SPLIT)
    count = facts.parameter_count(bundle.path / bundles.WEIGHTS) if bundle else None
    title = run.resolve().name
    trained = facts.training_facts(config, history, count) if config else []
    trained += facts.start_facts(bundle)
    data = facts.data_facts(evaluation, tiles, split)
    page = _page(
        evaluation, tiles, probabilities, split=split, bundle=bundle, in_sections=in_sections
    ) | {
        "kind": "Training report",
        "title": title,
        "lead": _run_lead(evaluation, config, split, count),
        "facts": [("Training", trained), ("Data", data)],
        "findings": [
            *_sentences(notes),
            *_section_finding(in_sections),
            *findings(evaluation, history),
        ],
        "history": history,
        "curves": figures.curves(history, config) if len(history) > 1 else [],
        "settings": config.to_yaml() if config else "",
        "settings_title": "Full configuration (config.yaml)",
    }
    return write_page(run / REPORT, TEMPLATE, page)


def write_evaluation_report(
    path: Path,
    evaluation: Evaluation,
    tiles: TileSet,
    probabilities: Probabilities,
    *models: Bundle,
    in_sections: InSections | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write the report of one or more models evaluated on labelled tiles.

    Args:
        path: the HTML file; its folder must exist.
        evaluation: the models on `tiles`.
        tiles: labelled tiles.
        probabilities: salt probability of each tile, float32 (H, W), in the order of the tiles.
        models: one model; or several that were averaged, or evaluated out of fold.
        in_sections: scores of tiles inside their sections, if there are any.
        notes: what was evaluated, and where scores are optimistic.

    Returns:
        `path`.

    Raises:
        RunError: the report cannot be written; an earlier one is kept.
    """
    counts = [facts.parameter_count(bundle.path / bundles.WEIGHTS) for bundle in models]
    data, info = evaluation.data, models[0].info
    alone = len(models) == 1
    name = info.name if alone else evaluation.model["name"]
    what = facts.model_words(info.model, counts[0]) if alone else f"The {name}"
    pairs = list(zip(models, counts, strict=True))
    hidden: dict[str, Any] = {"training_tiles": {"tiles"}, "tuned": {"__all__": {"tiles"}}}
    settings = [bundle.info.model_dump_json(indent=2, exclude=hidden) for bundle in models]
    page = _page(
        evaluation,
        tiles,
        probabilities,
        split=None,
        bundle=models[0] if alone else None,
        in_sections=in_sections,
    ) | {
        "kind": "Evaluation report",
        "title": f"{name} on {data['name']}",
        "lead": f"{what}, evaluated on {plural(data['n_images'], 'labelled tile')}.",
        "facts": [
            *(
                ("Model" if alone else f"Model {place}", facts.bundle_facts(bundle, count))
                for place, (bundle, count) in enumerate(pairs, start=1)
            ),
            ("Evaluated on", facts.data_facts(evaluation, tiles, None)),
            ("Training", facts.origin_facts(models[0]) if alone else []),
        ],
        "findings": [
            *_sentences(notes),
            *_section_finding(in_sections),
            *findings(evaluation, None),
        ],
        "history": None,
        "curves": [],
        "settings": "\n".join(settings),
        "settings_title": "Model metadata (bundle.json)",
    }
    return write_page(path, TEMPLATE, page)


def _run_lead(
    evaluation: Evaluation, config: RunConfig | None, split: Split | None, count: int | None
) -> str:
    """The sentence under the title."""
    model = facts.model_words(config.model, count) if config else "A network"
    training = split.parts.get("train") if split else None
    trained = (
        f" trained on {plural(len(training), 'tile')} of {evaluation.data['name']},"
        if training
        else ""
    )
    held_out = "held-out " if evaluation.data["part"] in {"val", "validation"} else ""
    evaluated = plural(evaluation.data["n_images"], f"{held_out}tile")
    return f"{model},{trained} evaluated on {evaluated}."


def _sentences(notes: Sequence[str]) -> list[str]:
    return [f"{note[:1].upper()}{note[1:]}." for note in notes]


def _section_finding(in_sections: InSections | None) -> list[str]:
    return [in_sections_finding(in_sections)] if in_sections else []


def _page(
    evaluation: Evaluation,
    tiles: TileSet,
    probabilities: Probabilities,
    *,
    split: Split | None,
    bundle: Bundle | None,
    in_sections: InSections | None,
) -> dict[str, Any]:
    """The content that both reports have."""
    gallery = Gallery(evaluation, tiles, probabilities)
    metrics = facts.metrics(evaluation)
    return {
        **common(),
        "evaluation": evaluation,
        "headline": headline(in_sections, metrics)
        if in_sections
        else [metrics[key] for key in facts.HEADLINE if key in metrics],
        "in_sections": in_sections_content(in_sections) if in_sections else None,
        "metrics": list(metrics.values()),
        "nothing": predicts_nothing(evaluation).metrics,
        "coverage_plots": [
            figures.coverage_scores(evaluation.by_coverage),
            figures.coverage_losses(evaluation.by_coverage),
        ],
        "sweep": figures.sweep(evaluation.sweep, evaluation.metrics["threshold"]),
        "reliability": figures.reliability(evaluation.calibration, evaluation.metrics["ece"]),
        "sample": gallery.sample(),
        "best": gallery.best(),
        "worst": gallery.worst(),
        "empty": COVERAGE_NAMES[0],
        "ramp": ", ".join(css(colour) for colour in probability_colours()[::17]),
        "split": split,
        "bundle": bundle,
    }


def _config(run: Path) -> RunConfig | None:
    try:
        return saved_config(run)
    except DiapirError:
        return None


def _bundle(run: Path) -> Bundle | None:
    try:
        return bundles.load(run)
    except DiapirError:
        return None


def _split(path: Path) -> Split | None:
    from diapir.tiles import Split

    try:
        return Split.load(path)
    except DiapirError:
        return None
