"""Times and depths of labels: their unit, their sign, and where no value was picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.surveys.grid import Grid
from diapir.surveys.hints import LengthUnit
from diapir.surveys.labels.placing import Floats, span
from diapir.surveys.units import METRES
from diapir.text import listing

_FACTORS: dict[str, tuple[float, str]] = {
    "ms": (1.0, "time"),
    "s": (1000.0, "time"),
    "m": (1.0, "depth"),
    "km": (1000.0, "depth"),
    "ft": (0.3048, "depth"),
}
"""Factor of each unit to ms or m, and its domain."""
_GUESSED = (1.0, 1000.0, 0.3048, 1 / 0.3048)
"""Factors from units of labels to those of a survey that are tried."""
_HUGE = 1e29
"""Values from here on are undefined, as OpendTect's 1e30."""
_NULLS = (-999.25, 9999900.0, -99999.0, -9999.25)
"""Values that stand for no value anywhere."""
_NEGATIVE_NULLS = (-999.0, -9999.0)
"""Values that stand for no value where all others are positive."""
_MOST = 0.9
_HALF = 0.5
_SHALLOW = 0.02
"""Share of the record above which all values lie only if they are in s or km."""


@dataclass(frozen=True)
class VerticalUnit:
    """How values become times or depths of a survey.

    Attributes:
        factor: to the survey's unit; below 0 for elevations.
        note: the guess in words; empty where nothing was guessed.
    """

    factor: float
    note: str = ""


def without_nulls(values: Floats) -> Floats:
    """Values with NaN for those that stand for no value."""
    null = ~np.isfinite(values) | (np.abs(values) >= _HUGE) | np.isin(values, _NULLS)
    rest = ~null & ~np.isin(values, _NEGATIVE_NULLS)
    if not (values[rest] < 0).any():
        null = ~rest
    return np.where(null, np.nan, values)


def vertical_unit(
    values: Floats, grid: Grid, unit: str | None, files: Sequence[Path]
) -> VerticalUnit:
    """Find the unit of times or depths, from their range and the survey's.

    Args:
        values: NaN where there is none.
        grid: of the survey.
        unit: where it is known.
        files: where they are from, for messages.

    Raises:
        DataError: no value, a unit of the other domain, or no unit that puts values in the survey.
    """
    source = listing(list(dict.fromkeys(files)))
    name = listing(list(dict.fromkeys(file.name for file in files)))
    known = values[np.isfinite(values)]
    if not known.size:
        raise DataError(
            f"{source} holds no value: every time or depth is undefined",
            expected="times or depths",
            fix="export the labels again",
        )
    sign, turned = 1.0, ""
    if np.mean(known < 0) > _MOST and _best_share(-known, grid) > _best_share(known, grid):
        sign, turned = -1.0, ", negative values taken as downwards"
    if unit is not None:
        factor, domain = _FACTORS[unit]
        if grid.domain not in ("unknown", domain):
            raise DataError(
                f"{source} has values in {unit}, but the survey is in {grid.domain}",
                expected=f"values in {grid.unit}",
                fix="convert the labels, or correct --z-unit or --domain",
            )
        if domain == "depth":
            factor /= METRES[grid.depth_unit]
        _refuse_outside(known * sign * factor, grid, source)
        return VerticalUnit(sign * factor, f"{name}{turned}" if turned else "")
    factor, word = _guess(known * sign, grid)
    _refuse_outside(known * sign * factor, grid, source)
    note = f"{name}: Z read in {word} ({span(known)}{turned}); another unit: --z-unit"
    return VerticalUnit(sign * factor, note)


def to_samples(values: Floats, grid: Grid) -> Floats:
    """Fractional samples of times or depths in the survey's unit."""
    return (values - grid.start) / grid.interval


def _guess(known: Floats, grid: Grid) -> tuple[float, str]:
    time, depth = grid.domain != "depth", grid.domain != "time"
    end = grid.start + grid.interval * (grid.samples - 1)
    plain = _share(known, grid)
    thousands = _share(known * 1000, grid)
    shallow = np.abs(known).max() <= _SHALLOW * end
    if thousands >= _MOST and (plain < _HALF or shallow):
        thousand = {"m": "km", "ft": "kft"}[grid.depth_unit]
        return 1000.0, "s" if time and not depth else thousand if depth and not time else (
            f"s or {thousand}"
        )
    other: LengthUnit = "m" if grid.depth_unit == "ft" else "ft"
    factor = METRES[other] / METRES[grid.depth_unit]
    if plain < _HALF and depth and _share(known * factor, grid) >= _MOST:
        return factor, other
    return 1.0, grid.unit


def _share(values: Floats, grid: Grid) -> float:
    """Share of values within the record."""
    sample = to_samples(values, grid)
    return float(np.mean((sample >= -1) & (sample <= grid.samples)))


def _best_share(values: Floats, grid: Grid) -> float:
    """Share of values within the record in the unit that suits them best."""
    return max(_share(values * factor, grid) for factor in _GUESSED)


def in_record(values: Floats, grid: Grid) -> NDArray[np.bool_]:
    """Whether values lie in the record under any unit that would be guessed."""
    found = np.zeros(values.shape, np.bool_)
    for factor in _GUESSED:
        sample = to_samples(np.abs(values) * factor, grid)
        found |= (sample >= -1) & (sample <= grid.samples)
    return found


def _refuse_outside(values: Floats, grid: Grid, source: str) -> None:
    if _share(values, grid) > 0:
        return
    end = grid.start + grid.interval * (grid.samples - 1)
    raise DataError(
        f"{source} lies outside the survey: its values, {span(values)}, are not between "
        f"{grid.start:g} and {end:g} {grid.unit}",
        expected=f"times or depths in {grid.unit} within the record",
        fix="give the labels of this survey, or their unit with --z-unit",
    )
