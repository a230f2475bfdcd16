"""Evaluation of probabilities, and of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import ConfigError, DataError
from diapir.evaluation.breakdown import by_coverage, calibration, sweep
from diapir.evaluation.evaluation_plan import ALL
from diapir.evaluation.min_size import Inside
from diapir.evaluation.result import Evaluation
from diapir.evaluation.scored import Scored
from diapir.inference.postprocess import check_postprocessing
from diapir.progress import Progress

if TYPE_CHECKING:
    from diapir.inference import Segmenter
    from diapir.tiles import TileSet


def evaluate(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float = 0.5,
    min_area: int = 0,
    part: str = ALL,
    model: Mapping[str, Any] | None = None,
    seed: int = 0,
    resamples: int = 1000,
    inside: Sequence[Inside] | None = None,
) -> Evaluation:
    """Score probabilities against the masks of labelled tiles, each at its own size.

    Ignored pixels (255) are not counted, and tiles with no other pixels are not scored. Soft Dice
    takes the tiles in id order, so no score depends on the order of the set.

    Args:
        tiles: the ground truth.
        probabilities: of salt, `float32 (H, W)` in [0, 1] for each tile, in the order of the
            tiles; sizes may differ between tiles.
        threshold: a pixel is predicted as salt if its probability is at least this, in (0, 1).
        min_area: minimum component size in pixels: smaller connected components of salt are
            removed before scoring, except for the scores of the probabilities themselves (soft
            Dice and calibration).
        part: name of the part of the data ("all", "val", …), for `Evaluation.data`.
        model: description of the model, for `Evaluation.model`.
        seed: of the bootstrap.
        resamples: of the bootstrap; 0 for no intervals.
        inside: for tiles that were predicted as parts of larger images: the image of each. A
            component is then as large as it is in that image.

    Raises:
        DataError: no tiles, tiles without masks, or values that are not probabilities or do not
            fit the tiles.
        ConfigError: a threshold, minimum size or number of resamples out of range.
    """
    _check(tiles, len(probabilities), threshold, min_area, resamples)
    scored = Scored.of(tiles, probabilities, threshold=threshold, min_area=min_area, inside=inside)
    tally = scored.tally(threshold)
    terms = scored.terms(tally)
    return Evaluation(
        metrics={
            **scored.metrics(terms),
            "n_images": len(scored.ids),
            "threshold": float(threshold),
            **({"min_area": min_area} if min_area else {}),
            "ci95": scored.intervals(terms, seed=seed, resamples=resamples),
        },
        by_coverage=by_coverage(tally, terms),
        sweep=sweep(scored.tally),
        calibration=calibration(scored.histograms),
        tiles=scored.rows(tally),
        model=dict(model or {}),
        data={
            "name": tiles.name,
            "part": part,
            "hash": tiles.hash,
            "n_images": len(scored.ids),
            "n_groups": len(set(scored.groups)),
            "n_unscored": len(tiles) - len(scored.ids),
        },
    )


def evaluate_model(
    predictor: Segmenter,
    tiles: TileSet,
    *,
    part: str = ALL,
    threshold: float | None = None,
    min_area: int | None = None,
    seed: int = 0,
    resamples: int = 1000,
    progress: Progress | None = None,
) -> tuple[Evaluation, list[NDArray[np.float32]]]:
    """Run a model on labelled tiles and score it.

    Args:
        predictor: one model, or an ensemble.
        tiles: images and ground truth.
        part: name of the part of the data, for `Evaluation.data`.
        threshold: None for the model's own.
        min_area: minimum component size in pixels; None for the model's own.
        seed: of the bootstrap.
        resamples: of the bootstrap; 0 for no intervals.
        progress: called with the number of tiles done and of all tiles.

    Returns:
        The evaluation, and the probabilities `float32 (H, W)` in the order of the tiles.

    Raises:
        DataError: no tiles, tiles without masks, or tiles that do not fit the model.
        ConfigError: a threshold, minimum size or number of resamples out of range.
    """
    threshold = predictor.threshold if threshold is None else threshold
    min_area = predictor.min_area if min_area is None else min_area
    # before the prediction, which may take minutes
    _check(tiles, len(tiles), threshold, min_area, resamples)
    images = [tiles.image(index) for index in range(len(tiles))]
    probabilities = predictor.probabilities(images, progress=progress)
    evaluation = evaluate(
        tiles,
        probabilities,
        threshold=threshold,
        min_area=min_area,
        part=part,
        model=predictor.describe(),
        seed=seed,
        resamples=resamples,
    )
    return evaluation, probabilities


def _check(tiles: TileSet, predicted: int, threshold: float, min_area: int, resamples: int) -> None:
    if not len(tiles):
        raise DataError(
            f"{tiles.name} has no tiles to score",
            expected="at least one labelled tile",
            fix="give another --data or another part of the split",
        )
    if not tiles.labelled:
        raise DataError(
            f"the tiles of {tiles.name} have no masks",
            expected="labelled tiles, as an evaluation needs the ground truth",
            fix="give labelled tiles, or use `diapir predict` for images without masks",
        )
    if predicted != len(tiles):
        raise DataError(
            f"{predicted} predictions for {len(tiles)} tiles of {tiles.name}",
            expected="one array of probabilities for each tile, in the order of the tiles",
            fix="predict the same tiles that are scored",
        )
    check_postprocessing(threshold, min_area)
    if resamples < 0:
        raise ConfigError(
            f"{resamples} bootstrap resamples",
            expected="a whole number, 0 for no intervals",
            fix="use the default of 1000, or 0",
        )
