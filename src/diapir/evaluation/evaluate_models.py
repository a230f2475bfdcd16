"""Evaluation of one model, or of several, on tiles they held out, alone and in sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from diapir.config import MaskEncoding
from diapir.evaluation.evaluate import evaluate
from diapir.evaluation.evaluation_plan import ALL, PART, VAL, Plan
from diapir.evaluation.held_out import (
    groups_file,
    plan,
    split_notes,
    trained_on,
)
from diapir.evaluation.in_sections import (
    InSections,
    SectionModels,
    evaluate_in_sections,
    open_sections,
)
from diapir.evaluation.predictions import OpenModels, Predictions, predict_shares
from diapir.evaluation.result import Evaluation
from diapir.inference import open_models as open_by_default
from diapir.inference.postprocess import check_postprocessing
from diapir.progress import ShowProgress, quiet
from diapir.run.folds import expand
from diapir.tiles import load_tiles
from diapir.tiles.groups import with_groups
from diapir.tiles.mosaic.mosaic_files import GROUPS

if TYPE_CHECKING:
    from diapir.inference import Segmenter
    from diapir.tiles import TileSet


@dataclass(frozen=True)
class Evaluated:
    """The result of `evaluate_models`.

    Attributes:
        evaluation: the scores.
        predictions: what was scored: tiles, probabilities and models.
        notes: lines for the user: what was evaluated, and where scores are optimistic.
        in_sections: the scores of tiles inside their sections; None without a mosaic.
    """

    evaluation: Evaluation
    predictions: Predictions
    notes: tuple[str, ...]
    in_sections: InSections | None = None


def evaluate_models(
    models: Sequence[Path],
    data: Path | TileSet,
    *,
    split: str | None = None,
    groups: Path | None = None,
    mosaic: Path | None = None,
    all_tiles: bool = False,
    encoding: MaskEncoding | Literal["auto"] = "auto",
    skip_bad: bool = False,
    threshold: float | None = None,
    min_area: int | None = None,
    open_models: OpenModels = open_by_default,
    show: ShowProgress = quiet,
) -> Evaluated:
    """Evaluate one model, or the mean of several, on tiles they held out where that is possible.

    Without `split`, runs are evaluated on their own validation parts if `data` is what they were
    trained on: together on a common part, or out of fold on different ones. Otherwise all tiles
    are scored that they were not trained on. See `held_out.plan`.

    Args:
        models: run folders and bundle folders; empty for the bundled model.
        data: labelled tiles: a folder, or Kaggle's zip.
        split: `FILE:PART` to evaluate on instead.
        groups: groups.csv with the section groups; None for the one the runs were trained with,
            or that of the mosaic.
        mosaic: folder of `diapir data mosaic`: its sections that hold evaluated tiles are predicted
            as a whole as well, and these tiles scored inside them.
        all_tiles: score tiles that a model was trained on, too.
        encoding: encoding of the masks, `auto` to recognise it.
        skip_bad: leave out tiles that cannot be read.
        threshold: None for the mean of the models'.
        min_area: minimum component size in pixels; None for the mean of the models'.
        open_models: loads models as one.
        show: opens a progress display.

    Raises:
        DataError: tiles that cannot be read or do not fit the models, or a mosaic that does not
            belong to them or holds none of the evaluated ones, or models that were trained on all
            tiles.
        SplitError: a split cannot be read or does not fit the tiles, or the validation parts
            overlap without being equal.
        BundleError: a model cannot be used.
        ConfigError: a threshold or minimum size out of range, or a model given twice.
    """
    models = tuple(expand(models))
    # what is wrong with these is reported before tiles are read, which may take minutes
    opened = {models: open_models(models)}
    check_postprocessing(0.5 if threshold is None else threshold, min_area or 0)
    tiles = load_tiles(data, encoding=encoding, skip_bad=skip_bad)
    planned = plan(models, tiles, split, all_tiles=all_tiles)
    sections = None if mosaic is None else open_sections(mosaic, tiles, planned.ids)
    if groups is None and planned.part != ALL and split is None:
        groups = groups_file(models)
    if groups is None and mosaic is not None and (mosaic / GROUPS).is_file():
        groups = mosaic / GROUPS

    def open_once(members: Sequence[Path]) -> Segmenter:
        key = tuple(members)
        if key not in opened:
            opened[key] = open_models(key)
        return opened[key]

    with show("predicting") as progress:
        predictions = predict_shares(planned.shares, tiles, open_once, progress)
    if groups is not None:
        predictions = replace(predictions, tiles=with_groups(predictions.tiles, groups))
    evaluation = evaluate(
        predictions.tiles,
        predictions.probabilities,
        threshold=predictions.threshold if threshold is None else threshold,
        min_area=predictions.min_area if min_area is None else min_area,
        part=planned.part,
        model=predictions.model,
    )
    evaluation = replace(evaluation, data=evaluation.data | planned.record)
    notes = (*planned.notes, *tiles.notes)
    if planned.part in (VAL, PART) and split is None:
        notes += split_notes(predictions.tiles)
    if sections is None:
        return Evaluated(evaluation, predictions, notes)
    with show("predicting sections") as progress:
        found = evaluate_in_sections(
            sections,
            evaluation,
            predictions.tiles,
            predictions.probabilities,
            [*_section_models(planned, tiles, open_once)],
            progress,
        )
    return Evaluated(evaluation, predictions, (*notes, *found.notes), found)


def _section_models(
    planned: Plan, tiles: TileSet, open_models: OpenModels
) -> Iterator[SectionModels]:
    for share in planned.shares:
        trained = trained_on(share.models, tiles)
        yield SectionModels(frozenset(share.ids), open_models(share.models), trained)
