"""Which labelled tiles a trained model has not seen, and how models do on those.

A run keeps its split. Several runs of one split are judged together on its validation part; runs of
different folds are judged each on its own part, which together are out-of-fold predictions: every
tile is predicted by those models alone that did not learn from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.config import RunConfig, load_recipe
from diapir.errors import SplitError
from diapir.tiles import Split

if TYPE_CHECKING:
    from diapir.bundle import Bundle
    from diapir.inference import Segmenter
    from diapir.tiles import TileSet

SPLIT, CONFIG = "split.json", "config.yaml"
"""Files of a run folder."""
PART = "out of fold"
"""What the parts of several folds are called together."""


@dataclass(frozen=True)
class Share:
    """Tiles, and the models that did not learn from them.

    Attributes:
        ids: of the tiles.
        models: run folders.
    """

    ids: tuple[str, ...]
    models: tuple[Path, ...]


@dataclass(frozen=True)
class Unseen:
    """Predictions of tiles by models that did not learn from them.

    Attributes:
        tiles: in the order of their ids.
        probabilities: of salt, `float32 (H, W)` of each.
        bundles: all models.
        model: what they are, for `Evaluation.model`.
        threshold: mean of the models' thresholds.
        min_area: mean of the models' least areas, in whole pixels.
    """

    tiles: TileSet
    probabilities: list[NDArray[np.float32]]
    bundles: tuple[Bundle, ...]
    model: dict[str, Any]
    threshold: float
    min_area: int


def config_of(run: Path) -> RunConfig | None:
    """What a run was trained with; None where the folder is no run's."""
    path = run / CONFIG
    return load_recipe(path) if path.is_file() else None


def learnt_all(run: Path) -> bool:
    """Whether a run learnt from its validation part as well."""
    config = config_of(run)
    return config is not None and config.data.use_all


def learnt_ids(run: Path, tiles: TileSet) -> set[str]:
    """Ids of the tiles that a run learnt from; none where it is no run, or one on other tiles.

    Args:
        run: a run folder, or a bundle, of which nothing is known.
        tiles: what it is judged on.

    Raises:
        SplitError: its split cannot be read.
    """
    if not (run / SPLIT).is_file():
        return set()
    split = Split.load(run / SPLIT)
    try:
        split.verify(tiles)
    except SplitError:
        return set()
    return set(split.part("train")) | (set(split.part("val")) if learnt_all(run) else set())


def own_validation(run: Path, tiles: TileSet) -> tuple[str, ...]:
    """Ids of the tiles that a run kept for validation.

    Args:
        run: a run folder.
        tiles: what it was trained on, as loaded (its split says nothing of other groups).

    Raises:
        SplitError: it kept none, or was trained on other tiles.
    """
    if not (run / SPLIT).is_file():
        raise SplitError(
            f"{run} holds no {SPLIT}, so nobody knows which tiles it has not seen",
            expected="a run folder as `diapir train --out` writes it",
            fix="give the run folder, or name the tiles: --split FILE:PART",
        )
    split = Split.load(run / SPLIT)
    split.verify(tiles)
    if learnt_all(run):
        raise SplitError(
            f"{run} was trained on all of its tiles (data.use_all), so it has none left",
            expected="a run that kept a validation part",
            fix="judge the same recipe on folds, and quote their score for this one",
        )
    return split.part("val")


def share_validation(runs: Sequence[Path], tiles: TileSet) -> list[Share]:
    """The validation parts of runs, each with the runs that kept it.

    Args:
        runs: run folders.
        tiles: what they were trained on.

    Raises:
        SplitError: a run without a part of its own, or parts that overlap without being the same.
    """
    by_part: dict[tuple[str, ...], list[Path]] = {}
    for run in runs:
        by_part.setdefault(tuple(sorted(own_validation(run, tiles))), []).append(run)
    owner: dict[str, Path] = {}
    for ids, members in by_part.items():
        for tile in ids:
            other = owner.setdefault(tile, members[0])
            if other is not members[0]:
                raise SplitError(
                    f"the validation parts of {other} and {members[0]} overlap in some tiles such "
                    f"as {tile}, and differ in others",
                    expected="runs of one split, or of different folds of one split",
                    fix="leave one of the runs out, or name the tiles: --split FILE:PART",
                )
    return [Share(ids, tuple(members)) for ids, members in by_part.items()]


def predict_unseen(
    shares: Sequence[Share],
    tiles: TileSet,
    open_models: Callable[[Sequence[Path]], Segmenter],
    progress: Callable[[int, int], None] | None = None,
) -> Unseen:
    """Predict each share of tiles by its own models.

    Args:
        shares: as `share_validation` gives them.
        tiles: what they are shares of.
        open_models: loads models as one.
        progress: called with the tiles done and all tiles.
    """
    total = sum(len(share.ids) for share in shares)
    found: dict[str, NDArray[np.float32]] = {}
    markers: list[Segmenter] = []
    for share in shares:
        before, here = len(found), len(share.ids)

        def tell(done: int, windows: int, before: int = before, here: int = here) -> None:
            if progress:
                progress(before + done * here // windows, total)

        marker = open_models(share.models)
        part = tiles.select(share.ids)
        images = [part.image(index) for index in range(here)]
        found |= zip(share.ids, marker.probabilities(images, progress=tell), strict=True)
        markers.append(marker)
    chosen = tiles.select(sorted(found))
    bundles = tuple(bundle for marker in markers for bundle in marker.bundles)
    count = len(bundles)
    return Unseen(
        tiles=chosen,
        probabilities=[found[tile] for tile in chosen.ids],
        bundles=bundles,
        model=markers[0].describe()
        if len(markers) == 1
        else {
            "name": f"{count} models of {len(markers)} folds, each on tiles it did not learn from",
            "members": [marker.describe() for marker in markers],
        },
        threshold=sum(m.threshold * len(m.bundles) for m in markers) / count,
        min_area=round(sum(m.min_area * len(m.bundles) for m in markers) / count),
    )
