"""From tiles and probabilities to an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import ConfigError, DataError
from diapir.evaluation import breakdown
from diapir.evaluation.bootstrap import intervals
from diapir.evaluation.components import tally_marked
from diapir.evaluation.histogram import Histograms, count
from diapir.evaluation.metrics import (
    Tally,
    dice,
    iou,
    kaggle_ap,
    soft_dice_of_batches,
    summarise,
    tile_terms,
)
from diapir.evaluation.result import Evaluation, TileScore
from diapir.inference.postprocess import check_postprocessing

if TYPE_CHECKING:
    from diapir.inference import Segmenter
    from diapir.tiles import TileSet

_ORDER = ("dice", "iou", "dice_per_image", "iou_per_image", "kaggle_map", "soft_dice")


def evaluate(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float = 0.5,
    min_area: int = 0,
    part: str = "all",
    model: Mapping[str, Any] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> Evaluation:
    """Score probabilities against the masks of labelled tiles, each at its own size.

    Ignored pixels (255) count nowhere, and a tile of nothing else is left out. Soft Dice takes the
    tiles in id order, so no score depends on the order they are given in.

    Args:
        tiles: the truth.
        probabilities: of salt, `float32 (H, W)` in [0, 1] of each tile, in the tiles' order; sizes
            may differ between tiles.
        threshold: a pixel is predicted as salt where its probability is at least this, in (0, 1).
        min_area: pixels; connected salt of fewer than this is taken for background, in every score
            but those of the probabilities themselves (soft Dice and calibration).
        part: what part of the data the tiles are ("all", "val", …), kept in `Evaluation.data`.
        model: what made the probabilities, kept in `Evaluation.model`.
        seed: of the bootstrap.
        resamples: of the bootstrap; 0 for no intervals.

    Raises:
        DataError: no tiles, tiles without masks, or probabilities that are none or do not fit.
        ConfigError: a threshold, a least area or a number of resamples out of range.
    """
    _check(tiles, probabilities, threshold, min_area, resamples)
    counted = count(tiles, probabilities, threshold=threshold)
    scored = np.flatnonzero(counted.pixels.any(axis=(1, 2)))
    if not len(scored):
        raise DataError(
            f"every pixel of the {len(tiles)} tiles of {tiles.name} is ignored (255)",
            expected="masks with background and salt",
            fix="see `diapir data check` on how the masks are read, and its option --encoding",
        )
    histograms = Histograms(counted.edges, counted.pixels[scored], counted.mass[scored])
    ids = [tiles.ids[index] for index in scored]
    groups = [tiles.groups[index] for index in scored]

    def tally_at(threshold: float) -> Tally:
        if min_area <= 1:
            return histograms.tally(threshold)
        marked = tally_marked(tiles, probabilities, threshold=threshold, min_area=min_area)
        return Tally(*(counts[scored] for counts in marked))

    tally = tally_at(threshold)
    pixels = tally.hit + tally.false + tally.missed + tally.rest
    _, mass, salt = histograms.calibration()
    terms, soft_terms = tile_terms(tally, mass - salt), histograms.soft_terms()
    by_id = np.array(sorted(range(len(ids)), key=ids.__getitem__))
    scores = {key: float(value) for key, value in summarise(terms.sum(axis=0)).items()}
    scores["soft_dice"] = float(soft_dice_of_batches(soft_terms[by_id]).mean())
    return Evaluation(
        metrics={
            **{key: scores.pop(key) for key in _ORDER},
            **scores,
            "n_images": len(ids),
            "threshold": float(threshold),
            **({"min_area": min_area} if min_area else {}),
            "ci95": intervals(
                terms[by_id],
                soft_terms[by_id],
                [groups[index] for index in by_id],
                seed=seed,
                resamples=resamples,
            ),
        },
        by_coverage=breakdown.by_coverage(tally, terms),
        sweep=breakdown.sweep(tally_at),
        calibration=breakdown.calibration(histograms),
        tiles=[
            TileScore(*row)
            for row in zip(
                ids,
                groups,
                pixels.astype(np.int64).tolist(),
                ((tally.hit + tally.missed) / pixels).tolist(),
                ((tally.hit + tally.false) / pixels).tolist(),
                dice(tally).tolist(),
                iou(tally).tolist(),
                kaggle_ap(tally).tolist(),
                strict=True,
            )
        ],
        model=dict(model or {}),
        data={
            "name": tiles.name,
            "part": part,
            "hash": tiles.hash,
            "n_images": len(ids),
            "n_groups": len(set(groups)),
            "n_unscored": len(tiles) - len(ids),
        },
    )


def evaluate_model(
    predictor: Segmenter,
    tiles: TileSet,
    *,
    part: str = "all",
    threshold: float | None = None,
    min_area: int | None = None,
    seed: int = 0,
    resamples: int = 1000,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Evaluation, list[NDArray[np.float32]]]:
    """Run a model on labelled tiles and score it.

    Args:
        predictor: the model, or several as one.
        tiles: the truth, and the images.
        part: what part of the data the tiles are, kept in `Evaluation.data`.
        threshold: None for the model's own.
        min_area: pixels; None for the model's own.
        seed: of the bootstrap.
        resamples: of the bootstrap; 0 for no intervals.
        progress: called with the tiles done and all tiles.

    Returns:
        the evaluation, and the probabilities `float32 (H, W)` in the tiles' order.

    Raises:
        DataError: no tiles, tiles without masks, or tiles the model cannot take.
        ConfigError: a threshold, a least area or a number of resamples out of range.
    """
    threshold = predictor.threshold if threshold is None else threshold
    min_area = predictor.min_area if min_area is None else min_area
    # before the model runs, which may take minutes
    _check(tiles, range(len(tiles)), threshold, min_area, resamples)
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


def _check(
    tiles: TileSet,
    probabilities: Sequence[Any],
    threshold: float,
    min_area: int,
    resamples: int,
) -> None:
    if not len(tiles):
        raise DataError(
            f"there are no tiles to score in {tiles.name}",
            expected="at least one labelled tile",
            fix="give another --data or another part of the split",
        )
    if not tiles.labelled:
        raise DataError(
            f"the tiles of {tiles.name} have no masks",
            expected="labelled tiles: an evaluation compares with the truth",
            fix="give labelled tiles, or use `diapir predict` for images without masks",
        )
    if len(probabilities) != len(tiles):
        raise DataError(
            f"{len(probabilities)} probabilities for {len(tiles)} tiles of {tiles.name}",
            expected="one array of probabilities a tile, in the tiles' order",
            fix="predict the same tiles that are scored",
        )
    check_postprocessing(threshold, min_area)
    if resamples < 0:
        raise ConfigError(
            f"{resamples} resamples of the bootstrap",
            expected="a whole number, 0 for no intervals",
            fix="give 1000, as is usual, or 0",
        )
