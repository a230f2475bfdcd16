"""Predictions of tiles by several models, each tile by the models that are planned for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.progress import Progress

if TYPE_CHECKING:
    from diapir.bundle import Bundle
    from diapir.evaluation.evaluation_plan import Share
    from diapir.inference import Segmenter
    from diapir.tiles import TileSet

OpenModels = Callable[[Sequence[Path]], "Segmenter"]
"""Loads models as one; an empty sequence stands for the bundled model."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities of salt for tiles, and the models that predicted them.

    Attributes:
        tiles: in id order.
        probabilities: of salt, `float32 (H, W)` for each tile.
        bundles: all models.
        model: their description, for `Evaluation.model`.
        threshold: mean threshold of the models.
        min_area: mean minimum component size of the models, in whole pixels.
    """

    tiles: TileSet
    probabilities: list[NDArray[np.float32]]
    bundles: tuple[Bundle, ...]
    model: dict[str, Any]
    threshold: float
    min_area: int


def predict_shares(
    shares: Sequence[Share],
    tiles: TileSet,
    open_models: OpenModels,
    progress: Progress | None = None,
) -> Predictions:
    """Predict each share of tiles by its models.

    Args:
        shares: disjoint shares of tiles with their models, see `held_out.plan`.
        tiles: the set they are shares of.
        open_models: loads models as one.
        progress: called with the number of tiles done and of all tiles.

    Raises:
        DataError: a tile is too small for a model.
        BundleError: a model cannot be used.
    """
    total = sum(len(share.ids) for share in shares)
    found: dict[str, NDArray[np.float32]] = {}
    predictors: list[Segmenter] = []
    for share in shares:
        predictor = open_models(share.models)
        part = tiles.select(share.ids)
        images = [part.image(index) for index in range(len(part))]
        step = _share_of(progress, done_before=len(found), tiles=len(part), total=total)
        found |= zip(share.ids, predictor.probabilities(images, progress=step), strict=True)
        predictors.append(predictor)
    chosen = tiles.select(sorted(found))
    bundles = tuple(bundle for predictor in predictors for bundle in predictor.bundles)
    count = len(bundles)
    return Predictions(
        tiles=chosen,
        probabilities=[found[tile] for tile in chosen.ids],
        bundles=bundles,
        model=_describe(predictors, count),
        threshold=sum(one.threshold * len(one.bundles) for one in predictors) / count,
        min_area=round(sum(one.min_area * len(one.bundles) for one in predictors) / count),
    )


def _describe(predictors: Sequence[Segmenter], count: int) -> dict[str, Any]:
    if len(predictors) == 1:
        return predictors[0].describe()
    return {
        "name": f"{count} models of {len(predictors)} folds, each on the tiles it held out",
        "members": [predictor.describe() for predictor in predictors],
    }


def _share_of(
    progress: Progress | None, *, done_before: int, tiles: int, total: int
) -> Progress | None:
    """Progress in the windows of a share's tiles, as progress in all tiles."""
    if progress is None:
        return None
    show = progress
    return lambda done, windows: show(done_before + done * tiles // windows, total)
