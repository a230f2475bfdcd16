"""Counted tiles: what an evaluation is computed from, at any threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.evaluation.bootstrap import intervals
from diapir.evaluation.histogram import Histograms, count
from diapir.evaluation.metrics import (
    Floats,
    Tally,
    dice,
    iou,
    kaggle_ap,
    soft_dice_of_batches,
    summarise,
    tile_terms,
)
from diapir.evaluation.min_size import Inside, tallies_by_min_size
from diapir.evaluation.result import TileScore

if TYPE_CHECKING:
    from diapir.tiles import TileSet

_FIRST = ("dice", "iou", "dice_per_image", "iou_per_image", "kaggle_map", "soft_dice")
"""The metrics that come first in an evaluation, in this order."""


@dataclass(frozen=True)
class Scored:
    """The N tiles of a set that have a valid pixel, with their probabilities counted.

    Attributes:
        tiles: the whole set.
        probabilities: of salt, `float32 (H, W)` for each tile of the whole set.
        places: `int (N,)`, where the scored tiles are in the set.
        histograms: of the scored tiles.
        min_area: minimum component size in pixels.
        inside: the larger image that each tile of the whole set was predicted in; None for tiles
            on their own.
    """

    tiles: TileSet
    probabilities: Sequence[NDArray[np.float32]]
    places: NDArray[np.intp]
    histograms: Histograms
    min_area: int
    inside: Sequence[Inside] | None = None

    @classmethod
    def of(
        cls,
        tiles: TileSet,
        probabilities: Sequence[NDArray[np.float32]],
        *,
        threshold: float,
        min_area: int,
        inside: Sequence[Inside] | None = None,
    ) -> Scored:
        """Count tiles so that `threshold` and those of the sweep can be scored.

        Raises:
            DataError: values that are not probabilities or do not fit the tiles, or only ignored
                pixels.
        """
        counted = count(tiles, probabilities, threshold=threshold)
        places = np.flatnonzero(counted.pixels.any(axis=(1, 2)))
        if not len(places):
            raise DataError(
                f"every pixel of the {len(tiles)} tiles of {tiles.name} is ignored (255)",
                expected="masks with background and salt",
                fix="run `diapir data check` to see how the masks are read, and set --encoding",
            )
        return cls(tiles, probabilities, places, counted.select(places), min_area, inside)

    @cached_property
    def ids(self) -> list[str]:
        """The id of each scored tile."""
        return [self.tiles.ids[place] for place in self.places]

    @cached_property
    def groups(self) -> list[str]:
        """The section group of each scored tile."""
        return [self.tiles.groups[place] for place in self.places]

    def tally(self, threshold: float) -> Tally:
        """Counts of each tile `(N,)` at one of the counted thresholds."""
        if self.min_area <= 1:
            return self.histograms.tally(threshold)
        (of_all,) = tallies_by_min_size(
            self.tiles,
            self.probabilities,
            threshold=threshold,
            min_sizes=[self.min_area],
            inside=self.inside,
        )
        return Tally(*(counts[self.places] for counts in of_all))

    def terms(self, tally: Tally) -> Floats:
        """`tile_terms` of the scored tiles, `(N, 8 + bins)`."""
        _, mass, salt = self.histograms.calibration()
        return tile_terms(tally, mass - salt)

    def metrics(self, terms: Floats) -> dict[str, float]:
        """All metrics by key, from `terms`."""
        scores = {key: float(value) for key, value in summarise(terms.sum(axis=0)).items()}
        soft_terms = self.histograms.soft_terms()[self._by_id]
        scores["soft_dice"] = float(soft_dice_of_batches(soft_terms).mean())
        return {key: scores[key] for key in _FIRST} | scores

    def intervals(self, terms: Floats, *, seed: int, resamples: int) -> dict[str, list[float]]:
        """95% confidence intervals by metric, from `terms`; see `bootstrap.intervals`."""
        return intervals(
            terms[self._by_id],
            self.histograms.soft_terms()[self._by_id],
            [self.groups[index] for index in self._by_id],
            seed=seed,
            resamples=resamples,
        )

    def rows(self, tally: Tally) -> list[TileScore]:
        """The scores of each tile."""
        salt, predicted = tally.tp + tally.fn, tally.tp + tally.fp
        pixels = salt + tally.fp + tally.tn
        columns = (
            *(self.ids, self.groups, pixels.astype(np.int64).tolist()),
            *((salt / pixels).tolist(), (predicted / pixels).tolist()),
            *(dice(tally).tolist(), iou(tally).tolist(), kaggle_ap(tally).tolist()),
        )
        return [TileScore(*row) for row in zip(*columns, strict=True)]

    @cached_property
    def _by_id(self) -> NDArray[np.intp]:
        """The scored tiles in id order, so that no score depends on the order of the set."""
        return np.array(sorted(range(len(self.ids)), key=self.ids.__getitem__))
