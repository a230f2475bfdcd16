"""Parts of a survey, by line numbers and by time or depth, and the grid indices they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.errors import ConfigError, SurveyError
from diapir.surveys.grid import Grid
from diapir.text import plural

Indices = NDArray[np.int64]
"""Indices along an axis of a grid, rising."""

ReadPart = Callable[[slice, slice], NDArray[np.float32]]
"""Reads `float32 (inlines, crosslines, samples)` of a whole grid, as `Survey.read` does."""

_LINES = re.compile(r"(-?\d+)?:(-?\d+)?(?::(\d+))?|(-?\d+)")
_NUMBER = r"(-?(?:\d+\.?\d*|\.\d+))"
_TIMES = re.compile(rf"{_NUMBER}?:{_NUMBER}?")
_ROUNDING = 1e-6
"""Share of a sample by which a time may miss it."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The part of a survey that is used, in the survey's own numbers; both ends are included.

    Raises:
        ConfigError: a range that cannot be read, or is reversed.
    """

    inlines: str | None = None
    """Inline numbers FIRST:LAST or FIRST:LAST:STEP, both ends included; an end may be left out."""
    crosslines: str | None = None
    """The same for crosslines, or for the CDPs of a 2D line."""
    time: str | None = None
    """Samples FROM:TO in ms, or in m where the survey is in depth; both ends are included."""
    depth: str | None = None
    """The same as --time, for surveys in depth (m)."""
    every: int | None = None
    """Preview of a volume: every so many inlines only, or crosslines with --view crossline."""
    every_of: Literal["inlines", "crosslines"] = "inlines"
    """The lines that `every` counts."""

    def __post_init__(self) -> None:
        """Refuse ranges that no survey could have."""
        for name in ("inlines", "crosslines"):
            _lines(f"--{name}", getattr(self, name))
        self.vertical()
        if self.every is not None and self.every < 2:
            raise ConfigError(
                f"--every {self.every}",
                expected="a number of lines, at least 2",
                fix="give a number such as --every 10, or leave it out for all lines",
            )

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return self != Extent()

    def vertical(self) -> tuple[str, float | None, float | None]:
        """The option of the vertical range, and its two ends, None where open.

        Raises:
            ConfigError: both --time and --depth, or a range that cannot be read.
        """
        if self.time is not None and self.depth is not None:
            raise ConfigError(
                "--time and --depth are both given",
                expected="one of them: they mean the same axis",
                fix="leave one out",
            )
        option = "--time" if self.depth is None else "--depth"
        text = self.time if self.depth is None else self.depth
        if text is None:
            return option, None, None
        found = _TIMES.fullmatch(text.strip())
        if not found or text.strip() == ":":
            raise _unreadable(option, text, "FROM:TO in ms or m, such as 1000:2400")
        low, high = (None if end is None else float(end) for end in found.groups())
        _refuse_reversed(option, text, low, high)
        return option, low, high

    def to_json(self) -> dict[str, Any]:
        """The ranges that are given."""
        default = asdict(Extent())
        return {name: value for name, value in asdict(self).items() if value != default[name]}

    def words(self) -> str:
        """The options as typed, such as `--inlines 100:200`."""
        options = [
            f"--{name} {getattr(self, name)}"
            for name in ("inlines", "crosslines", "time", "depth", "every")
            if getattr(self, name) is not None
        ]
        return " ".join(options)


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


def _lines(option: str, text: str | None) -> tuple[int | None, int | None, int]:
    """First number, last number and step of a range of lines; None for open ends.

    Raises:
        ConfigError: it cannot be read, or is reversed.
    """
    if text is None:
        return None, None, 1
    found = _LINES.fullmatch(text.strip())
    if not found:
        raise _unreadable(option, text, "FIRST:LAST or FIRST:LAST:STEP, such as 100:250 or ::10")
    first, last, step, single = (None if part is None else int(part) for part in found.groups())
    if single is not None:
        return single, single, 1
    if step == 0:
        raise _unreadable(option, text, "a step of at least 1")
    _refuse_reversed(option, text, first, last)
    return first, last, step or 1


def _unreadable(option: str, text: str, expected: str) -> ConfigError:
    return ConfigError(
        f"{option} {text} is not a range", expected=expected, fix=f"correct {option}"
    )


def _refuse_reversed(option: str, text: str, low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise ConfigError(
            f"{option} {text} is reversed: {low:g} is larger than {high:g}",
            expected="the smaller number first, whichever way the survey is numbered",
            fix=f"{option} {high:g}:{low:g}",
        )


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
    first, last, step = _lines(f"--{name}", text)
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
