"""The part of a grid that an extent stands for, and reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.extent import Extent
from diapir.surveys.grid import Grid
from diapir.text import plural

Indices = NDArray[np.int64]
"""Indices along an axis of a grid, rising."""

ReadPart = Callable[[slice, slice], NDArray[np.float32]]
"""Reads `float32 (inlines, crosslines, samples)` of a whole grid, as `Survey.read` does."""

_ROUNDING = 1e-6
"""Share of a sample by which a time may miss it."""


@dataclass(frozen=True)
class Selection:
    """The grid indices of a part.

    Attributes:
        grid: geometry of the part.
        rows: indices of its inlines in the whole grid.
        columns: indices of its crosslines in the whole grid.
        first: index of its first sample.
        skips: lines of the whole grid per inline and per crossline of the part; 1 for all.
        notes: what the user should know, such as a range that the survey covers only in part.
    """

    grid: Grid
    rows: Indices
    columns: Indices
    first: int
    skips: tuple[int, int]
    notes: tuple[str, ...]

    def read(self, whole: ReadPart, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read a part of the part: only the traces that it needs.

        Args:
            whole: reads the whole grid.
            inlines: indices along the part's inlines.
            crosslines: indices along the part's crosslines.

        Returns:
            `float32 (inlines, crosslines, samples)`, a copy.
        """
        columns = list(_slices(self.columns[crosslines]))
        parts = [
            np.concatenate([whole(rows, part) for part in columns], axis=1)
            for rows in _slices(self.rows[inlines])
        ]
        found = parts[0] if len(parts) == 1 else np.concatenate(parts)
        samples = self.grid.samples
        if samples == found.shape[2]:
            return found
        return found[:, :, self.first : self.first + samples].copy()


def select(grid: Grid, extent: Extent, source: str) -> Selection:
    """Find the part of a grid.

    Args:
        grid: the whole grid.
        extent: the part that is wanted.
        source: name of the survey in messages.

    Raises:
        SurveyError: the grid has nothing in a range, has no such axis, or only dead traces there.
    """
    if grid.kind == "2d" and (extent.inlines or extent.every):
        raise SurveyError(
            f"{extent.words()} is given for {source}, which is a 2D line",
            expected="--crosslines (its CDPs) and --time for a line; it has no inlines",
            fix="leave the option out, or use --crosslines",
        )
    notes: list[str] = []
    rows = _lines_of(grid, "inlines", extent, source, notes)
    columns = _lines_of(grid, "crosslines", extent, source, notes)
    if extent.every:
        if extent.every_of == "inlines":
            rows = rows[:: extent.every]
        else:
            columns = columns[:: extent.every]
    first, last = _samples(grid, extent, source, notes)
    place = np.ix_(rows, columns)
    part = replace(
        grid,
        inlines=grid.inlines[rows],
        crosslines=grid.crosslines[columns],
        samples=last - first + 1,
        start=grid.start + first * grid.interval,
        live=grid.live[place],
        easting=grid.easting[place],
        northing=grid.northing[place],
    )
    if not part.live.any():
        raise SurveyError(
            f"{source} has no live trace in {extent.words()}",
            expected="a part with data",
            fix="choose another part; `diapir survey FILE --out DIR` draws a map of the live "
            "traces",
        )
    return Selection(part, rows, columns, first, (_skip(rows), _skip(columns)), tuple(notes))


def _lines_of(
    grid: Grid,
    name: Literal["inlines", "crosslines"],
    extent: Extent,
    source: str,
    notes: list[str],
) -> Indices:
    """Indices of the lines in a range."""
    numbers: Indices = grid.inlines if name == "inlines" else grid.crosslines
    text = getattr(extent, name)
    first, last, step = extent.lines(name)
    low, high = int(numbers.min()), int(numbers.max())
    inside = np.ones(len(numbers), np.bool_)
    if first is not None:
        inside &= numbers >= first
    if last is not None:
        inside &= numbers <= last
    if inside.any():  # counted from the first line there is, not from a number that may be missing
        inside &= (numbers - numbers[inside].min()) % step == 0
    else:
        raise SurveyError(
            f"{source} has none of --{name} {text}",
            expected=_has(grid, name),
            fix="give a range of these numbers: they are line numbers, not indices",
        )
    beyond = (first is not None and first < low) or (last is not None and last > high)
    if beyond:
        notes.append(f"--{name} {text} reaches beyond the survey, which has {_has(grid, name)}")
    return np.flatnonzero(inside)


def _has(grid: Grid, name: str) -> str:
    """The lines that a survey has, in words."""
    numbers = grid.inlines if name == "inlines" else grid.crosslines
    label = "CDPs" if grid.kind == "2d" else name
    if len(numbers) == 1:
        return f"one {label.removesuffix('s')}, number {numbers[0]}"
    steps = np.unique(np.abs(np.diff(numbers)))
    step = f", step {steps[0]}" if len(steps) == 1 else ""
    return f"{label} {numbers.min()} to {numbers.max()}{step}"


def _samples(grid: Grid, extent: Extent, source: str, notes: list[str]) -> tuple[int, int]:
    """First and last sample of the vertical range."""
    option, low, high = extent.vertical()
    if option == "--depth" and grid.domain == "time":
        raise SurveyError(
            f"--depth {extent.depth} is given for {source}, which is in time",
            expected="--time FROM:TO in ms",
            fix="use --time, or say that the samples are in depth: --domain depth",
        )
    slack = _ROUNDING * grid.interval
    vertical = grid.vertical
    inside = np.ones(len(vertical), np.bool_)
    if low is not None:
        inside &= vertical >= low - slack
    if high is not None:
        inside &= vertical <= high + slack
    has = f"{vertical[0]:g} to {vertical[-1]:g} {grid.unit}, interval {grid.interval:g}"
    text = extent.time if extent.depth is None else extent.depth
    if not inside.any():
        raise SurveyError(
            f"{source} has no sample in {option} {text}",
            expected=f"a range of its samples, {has}",
            fix=f"correct {option}",
        )
    found = np.flatnonzero(inside)
    ends = (low is not None and low < vertical[0] - slack) or (
        high is not None and high > vertical[-1] + slack
    )
    if ends:
        notes.append(f"{option} {text} reaches beyond the survey, which has {has}")
    return int(found[0]), int(found[-1])


def _skip(places: Indices) -> int:
    return int(np.median(np.diff(places))) if len(places) > 1 else 1


def _slices(places: Indices) -> Iterator[slice]:
    """Indices as slices: one for an arithmetic progression, else one for each stretch."""
    steps = np.diff(places)
    if not len(places):
        yield slice(0, 0)
    elif not len(steps) or (steps == steps[0]).all():
        step = int(steps[0]) if len(steps) else 1
        yield slice(int(places[0]), int(places[-1]) + 1, step)
    else:
        ends = np.flatnonzero(steps > 1)
        for start, stop in zip(np.r_[0, ends + 1], np.r_[ends, len(steps)], strict=True):
            yield slice(int(places[start]), int(places[stop]) + 1)


def part_words(selection: Selection) -> str:
    """The part in words, as a line of a plan."""
    grid = selection.grid
    told = []
    for name, numbers, skip in (
        ("inline", grid.inlines, selection.skips[0]),
        ("crossline", grid.crosslines, selection.skips[1]),
    ):
        if name == "inline" and grid.kind == "2d":
            continue
        label = "CDP" if grid.kind == "2d" else name
        ends = f" {numbers.min()} to {numbers.max()}" if len(numbers) > 1 else f" {numbers[0]}"
        each = f" (one of {skip})" if skip > 1 else ""
        told.append(f"{plural(len(numbers), label)}{ends}{each}")
    vertical = grid.vertical
    told.append(f"{vertical[0]:g} to {vertical[-1]:g} {grid.unit}")
    return ", ".join(told)
