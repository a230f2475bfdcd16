"""Picks in their final place, with the values of the predictions around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid
from diapir.surveys.products.horizon_files import PickColumn
from diapir.surveys.products.horizons import Map, SaltMaps, vertical
from diapir.surveys.products.intervals import Block, Predictions
from diapir.surveys.products.move_picks import SNAP_SAMPLES, Snapping, smooth_picks
from diapir.surveys.products.product_options import ResolvedOptions
from diapir.surveys.survey import Survey
from diapir.text import plural

AROUND = 4
"""Samples above and below a pick that its mean probability and disagreement are taken from."""


@dataclass(frozen=True)
class PlacedPicks:
    """Top and base salt in their final place.

    Attributes:
        maps: map view of salt with these picks.
        columns: values of each pick of `top` and `base`.
        remarks: how picks were moved, and which were not.
    """

    maps: SaltMaps
    columns: Mapping[str, Sequence[PickColumn]]
    remarks: Sequence[str]


def place_picks(
    predictions: Predictions,
    blocks: Sequence[Block],
    maps: SaltMaps,
    options: ResolvedOptions,
    survey: Survey | None,
) -> PlacedPicks:
    """Smooth top and base, snap them to the seismic, and gather the values around them.

    Args:
        predictions: array `probability`, and `uncertainty` where two views were predicted.
        blocks: the blocks of the grid.
        maps: map view of salt, with picks where the probability crosses the threshold.
        options: whether and how picks are smoothed and snapped.
        survey: the amplitudes, needed to snap.
    """
    grid, remarks = predictions.grid, []
    picks = {"top": maps.top, "base": maps.base}
    bodies = {"top": maps.top_body, "base": maps.base_body}
    if options.smooth:
        picks = {
            name: smooth_picks(found, bodies[name], options.smooth, options.smooth_radius)
            for name, found in picks.items()
        }
        remarks.append(
            f"Top and base are smoothed ({options.smooth}, radius "
            f"{plural(options.smooth_radius, 'trace')}); crossings are not."
        )
    before = dict(picks)
    if options.snap and survey is not None:
        picks, told = _snapped(grid, blocks, picks, options, survey)
        remarks += told
    views = "uncertainty" in getattr(predictions, "names", ())
    gathered = pick_values(predictions, blocks, picks["top"], picks["base"], views=views)
    columns = {}
    for name, values in zip(picks, gathered, strict=True):
        columns[name] = values.columns()
        columns[name].append(PickColumn("body", bodies[name], digits=0, csv_only=True))
        if options.snap:
            unit = "" if grid.domain == "unknown" else f"_{grid.unit}"
            depths = vertical(grid, before[name])
            columns[name].append(PickColumn(f"unsnapped{unit}", depths, csv_only=True))
    placed = replace(maps, top=picks["top"], base=picks["base"])
    return PlacedPicks(placed, columns, remarks)


def _snapped(
    grid: Grid,
    blocks: Sequence[Block],
    picks: dict[str, Map],
    options: ResolvedOptions,
    survey: Survey,
) -> tuple[dict[str, Map], list[str]]:
    """Snapped picks, and a remark. A pick without an event stays, and so do crossing ones."""
    window = options.snap_window or SNAP_SAMPLES * grid.interval
    snapping = Snapping(options.snap or "peak", window / grid.interval)
    event = {"zero": "zero crossing"}.get(snapping.event, snapping.event)
    found = dict(zip(picks, snap_picks(survey, blocks, picks.values(), snapping), strict=True))
    with np.errstate(invalid="ignore"):
        both = np.isfinite(picks["top"]) & np.isfinite(picks["base"])
        ends = [
            np.where(np.isfinite(found[name]), found[name], picks[name]) for name in ("top", "base")
        ]
        crossing = both & (ends[0] >= ends[1])
    moved, stayed = {}, 0
    for name, old in picks.items():
        event_there = np.isfinite(found[name]) & ~crossing
        moved[name] = np.where(event_there, found[name], old)
        stayed += int((np.isfinite(old) & ~event_there).sum())
    total = sum(int(np.isfinite(old).sum()) for old in picks.values())
    remark = f"Top and base are snapped to the nearest {event} within ±{window:g} {grid.unit}"
    remark += " (--snap-window); crossings are not."
    if stayed:
        remark += f" {stayed:,} of {plural(total, 'pick')} have no such event there, and stay."
    return moved, [remark]


@dataclass(frozen=True)
class PickValues:
    """Values of each pick of a horizon, NaN where there is no pick.

    Attributes:
        probability: mean probability of the samples at most `AROUND` from the pick.
        contrast: mean probability of those in the salt, less that of those outside it.
        disagreement: mean difference of inline and crossline view there; None for a single view.
    """

    probability: Map
    contrast: Map
    disagreement: Map | None = None

    def columns(self) -> list[PickColumn]:
        """The values as columns; OpendTect's files have no contrast."""
        told = [PickColumn("probability", self.probability)]
        if self.disagreement is not None:
            told.append(PickColumn("disagreement", self.disagreement))
        return [*told, PickColumn("contrast", self.contrast, csv_only=True)]


def pick_values(
    predictions: Predictions, blocks: Iterable[Block], top: Map, base: Map, *, views: bool
) -> tuple[PickValues, PickValues]:
    """Gather the values around the picks of top and base salt, in one pass over the predictions.

    Args:
        predictions: arrays `probability` and, with two views, `uncertainty`.
        blocks: the blocks of the grid.
        top: in samples, NaN where there is no pick; salt lies below.
        base: likewise; salt lies above.
        views: whether `uncertainty` is there.
    """
    found = tuple(
        PickValues(*(np.full_like(picks, np.nan) for _ in range(2 + views)))
        for picks in (top, base)
    )
    for block in blocks:
        parts = [picks[block.slices] for picks in (top, base)]
        if not any(np.isfinite(part).any() for part in parts):
            continue
        probability = predictions.read("probability", *block.slices)
        uncertainty = predictions.read("uncertainty", *block.slices) if views else None
        for values, part, below in zip(found, parts, (True, False), strict=True):
            rows, columns = np.nonzero(np.isfinite(part))
            where = rows + block.inline0, columns + block.crossline0
            near, offsets = _near(probability[rows, columns], part[rows, columns])
            values.probability[where] = _mean(near)
            contrast = _mean(near, offsets >= 0) - _mean(near, offsets < 0)
            values.contrast[where] = contrast if below else -contrast
            if uncertainty is not None and values.disagreement is not None:
                near, _ = _near(uncertainty[rows, columns], part[rows, columns])
                values.disagreement[where] = _mean(near)
    return found[0], found[1]


def snap_picks(
    survey: Survey, blocks: Iterable[Block], horizons: Iterable[Map], snapping: Snapping
) -> list[Map]:
    """Move the picks of horizons to events of the seismic traces.

    Args:
        survey: the amplitudes.
        blocks: the blocks of the grid.
        horizons: maps of picks, in samples.
        snapping: the event and the window.

    Returns:
        Each map with its picks moved, NaN where there is no event in the window.
    """
    horizons = list(horizons)
    moved = [np.full_like(picks, np.nan) for picks in horizons]
    for block in blocks:
        parts = [picks[block.slices] for picks in horizons]
        if not any(np.isfinite(part).any() for part in parts):
            continue
        amplitude = survey.read(*block.slices)
        for target, part in zip(moved, parts, strict=True):
            rows, columns = np.nonzero(np.isfinite(part))
            where = rows + block.inline0, columns + block.crossline0
            target[where] = snapping.move(part[rows, columns], amplitude[rows, columns])
    return moved


def _near(
    traces: NDArray[np.float32], picks: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Values of each trace around its pick, and how far below the pick each lies, in samples."""
    samples = traces.shape[1]
    places = np.floor(picks).astype(np.int64)[:, None] + np.arange(1 - AROUND, AROUND + 1)
    offsets = places.astype(np.float64) - picks[:, None]
    values = np.take_along_axis(traces, np.clip(places, 0, samples - 1), axis=1)
    values[(places < 0) | (places >= samples)] = np.nan
    return values, offsets


def _mean(
    values: NDArray[np.float32], wanted: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Mean of the known values of each row; NaN where there are none."""
    known = np.isfinite(values) if wanted is None else np.isfinite(values) & wanted
    total = np.where(known, values, 0).sum(axis=1, dtype=np.float64)
    count = known.sum(axis=1)
    found: NDArray[np.float64] = np.full(len(values), np.nan)
    np.divide(total, count, out=found, where=count > 0)
    return found
