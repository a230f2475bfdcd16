"""Which threshold and which least area mark salt best, chosen on tiles that no model has seen.

The best of many settings on some tiles looks better than it is. So the gain is checked: tiles are
dealt out to five parts, sections whole, and each part is scored by the setting that is best on the
other four. Where that does not beat the setting in use, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.evaluation.components import tallies_marked
from diapir.evaluation.metrics import Floats, kaggle_ap

if TYPE_CHECKING:
    from diapir.tiles import TileSet

THRESHOLDS: Floats = np.arange(20, 81, 2) / 100
"""0.20, 0.22 … 0.80."""
MIN_AREAS = (0, 5, 10, 20, 30, 40, 60, 80, 120, 160, 240, 320, 480, 640)
"""Pixels."""
PARTS = 5
"""Parts of the check."""


@dataclass(frozen=True)
class Setting:
    """How salt is marked, and how that scores.

    Attributes:
        threshold: probability from which a pixel counts as salt.
        min_area: pixels; connected salt of fewer than this is left out.
        kaggle_map: Kaggle's mAP of all tiles.
    """

    threshold: float
    min_area: int
    kaggle_map: float


@dataclass(frozen=True)
class Tuning:
    """What was tried and chosen.

    Attributes:
        used: the setting in use.
        best: the best of all that were tried.
        checked: Kaggle's mAP of choosing the best, on tiles that each choice did not see; None
            where all tiles are of one section.
        table: every setting that was tried.
    """

    used: Setting
    best: Setting
    checked: float | None
    table: list[Setting]

    @property
    def gains(self) -> bool:
        """Whether choosing the best is better than what is in use, on tiles it did not see."""
        return self.checked is not None and self.checked > self.used.kaggle_map

    @property
    def chosen(self) -> Setting:
        """The best where it gains, else the one in use."""
        return self.best if self.gains else self.used

    def to_json(self) -> dict[str, Any]:
        """As JSON can say it."""
        return asdict(self) | {"chosen": asdict(self.chosen)}


def tune_marking(
    tiles: TileSet,
    probabilities: Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    min_area: int,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Tuning:
    """Try settings on predictions of unseen tiles.

    Args:
        tiles: N labelled tiles; their groups are kept together in the check.
        probabilities: of salt, `float32 (H, W)` of each, by models that did not learn from it.
        threshold: the threshold in use.
        min_area: the least area in use, in pixels.
        seed: of the check's parts.
        progress: called with the thresholds done and all thresholds.
    """
    settings = [(float(value), area) for value in THRESHOLDS for area in MIN_AREAS]
    points: list[Floats] = []
    for done, value in enumerate(THRESHOLDS, start=1):
        tallies = tallies_marked(tiles, probabilities, threshold=float(value), min_areas=MIN_AREAS)
        points += [kaggle_ap(tally) for tally in tallies]
        if progress:
            progress(done, len(THRESHOLDS))
    scores = np.array(points)  # (settings, N)
    (in_use,) = tallies_marked(tiles, probabilities, threshold=threshold, min_areas=[min_area])
    used = Setting(threshold, min_area, float(kaggle_ap(in_use).mean()))
    # of equals the nearest to the threshold in use, then the least area
    order = sorted(
        range(len(settings)),
        key=lambda place: (abs(settings[place][0] - threshold), settings[place][1]),
    )

    def best_on(chosen: NDArray[np.bool_]) -> int:
        means = scores[order][:, chosen].mean(axis=1)
        return order[int(np.argmax(np.round(means, 12)))]

    parts = _deal_out(tiles.groups, seed)
    names = np.unique(parts)
    checked = None
    if len(names) > 1:
        held_out = [scores[best_on(parts != name)][parts == name] for name in names]
        checked = float(np.concatenate(held_out).mean())
    place = best_on(np.ones(len(tiles), np.bool_))
    return Tuning(
        used=used,
        best=Setting(*settings[place], float(scores[place].mean())),
        checked=checked,
        table=[
            Setting(*setting, float(mean))
            for setting, mean in zip(settings, scores.mean(axis=1), strict=True)
        ],
    )


def _deal_out(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """The part of each tile: whole groups, shuffled and dealt out in turn."""
    names = sorted(set(groups))
    order = np.random.default_rng(seed).permutation(len(names))
    part_of = {name: int(place) % PARTS for name, place in zip(names, order, strict=True)}
    return np.array([part_of[group] for group in groups])
