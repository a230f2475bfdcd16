"""Surveys held in arrays: amplitudes by inline, crossline and sample, from NumPy or Zarr."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.progress import Progress
from diapir.surveys.grid import Domain, Grid
from diapir.surveys.hints import CoordinateUnit, LengthUnit, SurveyHints, SurveySpec
from diapir.surveys.sampling import Undefined, check_amplitudes, find_survey_undefined
from diapir.surveys.units import to_degrees, xy_unit
from diapir.undefined import hide_undefined

SamplesAxis = Literal["first", "last"]
_PIECE = 2**22
"""Samples read at once to find dead traces."""
_MOST_TRACES, _MOST_SAMPLES = 2**28, 2**24
"""More than any survey has: a Zarr array may claim any shape without a byte behind it."""


class AmplitudeArray(Protocol):
    """The part of the array interface that files of NumPy and Zarr share."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of the numbers."""
        ...

    def __getitem__(self, place: tuple[slice, ...]) -> Any: ...


@dataclass(frozen=True)
class Frame:
    """Known geometry of an array; line numbers that are None count from 1.

    Attributes:
        inlines: `int64 (I,)`.
        crosslines: `int64 (X,)`; for a 2D line its CDP numbers.
        interval: sample interval in ms or `depth_unit`; None where unknown.
        start: time or depth of the first sample, in the same unit.
        domain: domain of the vertical axis.
        live: `bool (I, X)`, True for live traces; None to find traces of zeros.
        easting: `float64 (I, X)`; None where unknown.
        northing: `float64 (I, X)`; None where unknown.
        depth_unit: unit of depths.
        coordinate_unit: unit of the coordinates.
        undefined: values that the file declares to stand for no value.
        notes: oddities of the file, for the user.
    """

    inlines: NDArray[np.int64] | None = None
    crosslines: NDArray[np.int64] | None = None
    interval: float | None = None
    start: float = 0.0
    domain: Domain = "unknown"
    live: NDArray[np.bool_] | None = None
    easting: NDArray[np.float64] | None = None
    northing: NDArray[np.float64] | None = None
    depth_unit: LengthUnit = "m"
    coordinate_unit: CoordinateUnit = "m"
    undefined: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def hinted(self, hints: SurveyHints) -> Frame:
        """The frame with the user's hints in place of what the file says."""
        return replace(
            self,
            domain=hints.domain or self.domain,
            interval=self.interval if hints.interval is None else hints.interval,
            depth_unit=hints.depth_unit or self.depth_unit,
            coordinate_unit=hints.coordinate_unit or self.coordinate_unit,
        )


class ArraySurvey:
    """An array of amplitudes.

    Args:
        path: file or folder it comes from.
        values: real numbers `(inlines, crosslines, samples)`, or `(traces, samples)` for a 2D line.
        frame: its geometry.
        hints: domain, interval and checks that the user gives.
        progress: called with the inlines searched for dead traces and the number there are.
        samples_axis: the axis of the samples in the file, of which `values` may be a turned view;
            None where the format says it.

    Raises:
        SurveyError: the array has another shape or type, or its amplitudes cannot be used.
    """

    def __init__(
        self,
        path: Path,
        values: AmplitudeArray,
        frame: Frame,
        hints: SurveyHints,
        *,
        progress: Progress | None = None,
        samples_axis: SamplesAxis | None = None,
    ) -> None:
        _check_array(path, values)
        self.samples_axis = samples_axis
        self.path = path
        self.name = path.stem
        self._values: AmplitudeArray | None = values
        self._allow = tuple(sorted(hints.allow))
        self._line = len(values.shape) == 2
        frame = frame.hinted(hints)
        self._units = frame.depth_unit, frame.coordinate_unit
        interval, notes = _known_interval(path, frame.interval)
        self._undefined: Undefined | None = None
        every = np.ones(values.shape[:-1], np.bool_).reshape((1, *values.shape[:-1])[-2:])
        self.grid = self._make_grid(frame, interval, every if frame.live is None else frame.live)
        if frame.undefined and not hints.undefined:
            hints = replace(hints, undefined=frame.undefined)
        self._undefined = find_survey_undefined(self, hints)
        if frame.live is None:
            self.grid = replace(self.grid, live=self._find_live(progress))
        check_amplitudes(self, hints.allow)
        self.notes = (*frame.notes, *notes, *self._undefined.notes)

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read the amplitudes of a part of the grid; see `Survey.read`."""
        found = self._part(inlines, crosslines)
        if self._undefined is not None:
            hide_undefined(found, self._undefined.values)
        found[~self.grid.live[inlines, crosslines]] = np.nan
        return found

    def spec(self) -> SurveySpec:
        """Argument of `reopen`; see `Survey.spec`."""
        domain = self.grid.domain
        hints = SurveyHints(
            domain=None if domain == "unknown" else domain,
            interval=self.grid.interval,
            depth_unit=self._units[0],
            coordinate_unit=self._units[1],
            allow=self._allow,
            samples_axis=self.samples_axis,
            undefined=() if self._undefined is None else self._undefined.hint,
        )
        return SurveySpec(str(self.path.resolve()), hints)

    def close(self) -> None:
        """Release the array."""
        self._values = None

    def _make_grid(self, frame: Frame, interval: float, live: NDArray[np.bool_]) -> Grid:
        assert self._values is not None  # noqa: S101 - just opened
        shape = self._values.shape
        rows, columns, samples = (1, *shape) if self._line else shape
        unknown = np.full((rows, columns), np.nan)
        easting, northing = (
            unknown if part is None else to_degrees(part, frame.coordinate_unit)
            for part in (frame.easting, frame.northing)
        )
        numbers = 1 + np.arange(rows) if frame.inlines is None else frame.inlines
        return Grid(
            kind="2d" if self._line else "3d",
            inlines=np.zeros(1, np.int64) if self._line else numbers,
            crosslines=1 + np.arange(columns) if frame.crosslines is None else frame.crosslines,
            samples=samples,
            interval=interval,
            start=frame.start,
            domain=frame.domain,
            live=live,
            easting=easting,
            northing=northing,
            depth_unit=frame.depth_unit,
            xy_unit=xy_unit(frame.coordinate_unit),
        )

    def _part(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        if self._values is None:
            raise ValueError(f"{self.path} is closed")
        place = (crosslines, slice(None)) if self._line else (inlines, crosslines, slice(None))
        with np.errstate(over="ignore", invalid="ignore"):  # signalling NaN is NaN as well
            part = np.array(self._values[place], np.float32)
        return part[None] if self._line else part

    def _find_live(self, progress: Progress | None) -> NDArray[np.bool_]:
        """Traces with any defined sample other than 0, found in pieces of bounded size."""
        rows, columns, samples = self.grid.shape
        live = np.zeros((rows, columns), np.bool_)
        for part in _pieces(rows, columns, samples):
            values = self.read(*part)
            live[part] = (np.isfinite(values) & (values != 0)).any(axis=-1)
            if progress is not None and part[1].stop >= columns:
                progress(min(part[0].stop, rows), rows)
        return live


def _check_array(path: Path, values: AmplitudeArray) -> None:
    shape = values.shape
    if np.dtype(values.dtype).kind not in "fiu" or len(shape) not in (2, 3) or 0 in shape:
        raise SurveyError(
            f"{path} holds {values.dtype} values of shape {shape}",
            expected="real numbers of shape (inlines, crosslines, samples) or (traces, samples)",
            fix="save the amplitudes as an array of that shape",
        )
    if math.prod(shape[:-1]) > _MOST_TRACES or shape[-1] > _MOST_SAMPLES:
        raise SurveyError(
            f"{path} says that it holds values of shape {shape}",
            expected=f"at most {_MOST_TRACES:,} traces of {_MOST_SAMPLES:,} samples",
            fix="check the metadata of the array, or give it in parts",
        )


def _known_interval(path: Path, interval: float | None) -> tuple[float, tuple[str, ...]]:
    """The sample interval, and a note where it had to be assumed."""
    if interval is None:
        return 1.0, ("sample interval unknown, taken as 1; set it with --interval",)
    if not 0 < interval < np.inf:
        raise SurveyError(
            f"{path} gives a sample interval of {interval:g}",
            expected="a sample interval above 0",
            fix="give it in ms or m with --interval, such as --interval 4",
        )
    return interval, ()


def _pieces(rows: int, columns: int, samples: int) -> Iterator[tuple[slice, slice]]:
    """Parts of a grid, a row of them at a time, that hold `_PIECE` samples at most."""
    across = max(1, min(columns, _PIECE // samples))
    down = max(1, _PIECE // (samples * columns))
    for row in range(0, rows, down):
        for column in range(0, columns, across):
            yield slice(row, row + down), slice(column, column + across)
