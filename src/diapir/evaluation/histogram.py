"""Histograms of each tile's probabilities: thresholds, soft Dice and calibration need no more.

A tile becomes two small tables by bin and class (background, salt): the number of its valid pixels
and the sum of their probabilities. All thresholds in use are bin edges, so the counts are exact,
and each pixel is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.evaluation.metrics import SALT, Floats, Tally

if TYPE_CHECKING:
    from diapir.tiles import TileSet

SWEEP: Floats = np.arange(1, 20) / 20
"""Thresholds of the sweep: 0.05, 0.10 … 0.95."""
CALIBRATION_BINS = 15
CALIBRATION_EDGES: Floats = np.arange(CALIBRATION_BINS + 1) / CALIBRATION_BINS
"""Bin i has edge i ≤ p < edge i + 1; the last bin includes p = 1."""


@dataclass(frozen=True)
class Histograms:
    """The histograms of N tiles over B bins.

    Attributes:
        edges: `float32 (B − 1,)`, ascending; bin b has the probabilities that b edges are ≤.
        pixels: `int64 (N, B, 2)`, number of valid background and salt pixels.
        mass: `float64 (N, B, 2)`, sum of their probabilities.
    """

    edges: NDArray[np.float32]
    pixels: NDArray[np.int64]
    mass: Floats

    def tally(self, threshold: float) -> Tally:
        """Counts of each tile `(N,)` with p ≥ threshold predicted as salt.

        Args:
            threshold: one of `SWEEP`, or the one given to `count`.
        """
        first = int(np.searchsorted(self.edges, np.float32(threshold))) + 1
        fp, tp = self.pixels[:, first:].sum(axis=1).T.astype(np.float64)
        tn, fn = self.pixels[:, :first].sum(axis=1).T.astype(np.float64)
        return Tally(tp=tp, fp=fp, fn=fn, tn=tn)

    def select(self, places: NDArray[np.intp]) -> Histograms:
        """The histograms of some of the tiles."""
        return Histograms(self.edges, self.pixels[places], self.mass[places])

    def soft_terms(self) -> Floats:
        """Σp·g, Σp and Σg of each tile: `(N, 3)`."""
        mass = self.mass.sum(axis=1)
        return np.column_stack([mass[:, 1], mass.sum(axis=1), self.pixels[:, :, 1].sum(axis=1)])

    def calibration(self) -> tuple[Floats, Floats, Floats]:
        """Pixels, Σp and Σg of each tile and calibration bin: three `(N, CALIBRATION_BINS)`."""
        inner = np.searchsorted(self.edges, CALIBRATION_EDGES[1:-1].astype(np.float32)) + 1
        starts = np.concatenate([[0], inner])
        pixels = np.add.reduceat(self.pixels, starts, axis=1).astype(np.float64)
        mass = np.add.reduceat(self.mass, starts, axis=1)
        return pixels.sum(axis=2), mass.sum(axis=2), pixels[:, :, 1]


def count(
    tiles: TileSet, probabilities: Sequence[NDArray[np.float32]], *, threshold: float
) -> Histograms:
    """Check and count the probabilities of every tile; ignored pixels (255) are not counted.

    Args:
        tiles: N labelled tiles.
        probabilities: of salt, `float32 (H, W)` for each tile, in the order of the tiles.
        threshold: a bin edge beside `SWEEP` and `CALIBRATION_EDGES`.

    Raises:
        DataError: values that are not probabilities, or do not fit the tiles.
    """
    thresholds = np.concatenate([SWEEP, CALIBRATION_EDGES[1:-1], [threshold]])
    edges = np.unique(thresholds.astype(np.float32))
    bins = len(edges) + 1
    pixels = np.zeros((len(tiles), bins, 2), dtype=np.int64)
    mass = np.zeros((len(tiles), bins, 2), dtype=np.float64)
    for index, probability in enumerate(probabilities):
        mask = tiles.mask(index)
        _check(probability, mask.shape, tiles.ids[index])
        valid = mask != IGNORE
        salt = (mask == SALT)[valid]
        values = probability[valid]
        # comparing with every edge is vectorised, three times faster than np.searchsorted
        cell = np.zeros(values.shape, dtype=np.uint8)
        for edge in edges:
            cell += values >= edge
        cell = 2 * cell + salt
        pixels[index] = np.bincount(cell, minlength=2 * bins).reshape(bins, 2)
        mass[index] = np.bincount(cell, weights=values, minlength=2 * bins).reshape(bins, 2)
    return Histograms(edges, pixels, mass)


def _check(probability: NDArray[Any], shape: tuple[int, ...], tile: str) -> None:
    """Refuse an array that is not the probabilities of a tile of this shape."""
    problem = ""
    if probability.dtype != np.float32:
        problem = f"are {probability.dtype}"
    elif probability.shape != shape:
        problem = f"have shape {probability.shape}, but its mask has {shape}"
    elif not np.isfinite(probability).all():
        problem = "are not all finite"
    elif probability.size and (probability.min() < 0 or probability.max() > 1):
        problem = f"range from {probability.min():.4g} to {probability.max():.4g}"
    if problem:
        raise DataError(
            f"the probabilities of tile {tile!r} {problem}",
            expected=f"float32 probabilities of salt in [0, 1], shape "
            f"{' × '.join(map(str, shape))} as the mask",
            fix="pass what `Predictor.probabilities` returns: the salt channel of a softmax over "
            "both classes, cropped to the size of the tile",
        )
