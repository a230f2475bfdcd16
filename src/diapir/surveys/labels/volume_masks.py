"""Masks as SEG-Y, Zarr or NumPy: of the whole survey, of some of its lines, or of one section."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError, SurveyError
from diapir.surveys.array_source import AmplitudeArray
from diapir.surveys.grid import Kind
from diapir.surveys.hints import SurveyHints
from diapir.surveys.labels.area_sections import ChosenSection, choose_sections
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.mask_values import classes, known_values, salt_of
from diapir.surveys.labels.placing import Indices, Placing, span
from diapir.surveys.labels.section_images import array_section
from diapir.surveys.labels.section_labels import Axis, Mask, SectionLabels
from diapir.surveys.npy_file import NpyFile
from diapir.surveys.segy.geometry import find_geometry
from diapir.surveys.segy.layout.file_layout import find_layout
from diapir.surveys.segy.segy_source import SegySurvey
from diapir.surveys.segy.traces import TraceFile
from diapir.surveys.survey import Survey
from diapir.surveys.zarr_source import is_zarr, open_zarr
from diapir.text import integer, plural

Floats = NDArray[np.float32]
_ID, _DEAD = 29, 2
_EVEN = 1e-3
"""Share of a sample interval by which the samples of a mask may be shifted."""


@dataclass(frozen=True, eq=False)
class MaskVolume:
    """The values of a mask on its own grid.

    Attributes:
        path: its file.
        kind: 2D line or 3D volume.
        inlines: `int64 (I,)`; None where the file does not say them.
        crosslines: `int64 (X,)`, or CDPs; likewise.
        shape: inlines, crosslines and samples.
        interval: in ms or m; None where unknown.
        start: time or depth of the first sample.
        read: values of a part, `float32 (inlines, crosslines, samples)`, NaN where there is none.
    """

    path: Path
    kind: Kind
    inlines: Indices | None
    crosslines: Indices | None
    shape: tuple[int, int, int]
    interval: float | None
    start: float
    read: Callable[[slice, slice], Floats]


def volume_labels(
    path: Path, survey: Survey, placing: Placing, options: LabelOptions
) -> tuple[list[SectionLabels], list[str]]:
    """Read a mask of the survey, or of some of its lines and traces.

    Lines and traces are matched by their numbers; what the mask does not cover is not labelled.

    Args:
        path: SEG-Y file, Zarr store or `.npy` array.
        survey: the survey.
        placing: its positions.
        options: the value that is salt, the section of an array of one section, and how many
            sections are used.

    Raises:
        DataError: it cannot be read, is of another grid, or its values may mean several things.
        MissingDependencyError: a Zarr store, and the package Zarr is not installed.
    """
    if path.suffix.lower() == ".npy":
        values = NpyFile(path)
        _refuse_shape(path, values)
        if len(values.shape) == 2:
            return array_section(path, np.asarray(values[:, :], np.float32), placing, options)
        volume = _array_volume(path, values)
    elif path.is_dir():
        volume = _zarr_volume(path)
    else:
        volume = _segy_volume(path, survey)
    return _labels(volume, placing, options)


def _labels(
    volume: MaskVolume, placing: Placing, options: LabelOptions
) -> tuple[list[SectionLabels], list[str]]:
    where = _Overlap.of(volume, placing)
    source = str(volume.path)
    values = np.empty(0)
    labelled = np.zeros(placing.grid.shape[:2], np.bool_)
    for row, index in where.lines():
        part = where.read(volume, row)
        values = np.union1d(values, known_values(part, source))
        labelled[index, where.crosslines] = (np.isfinite(part) & (part != IGNORE)).any(axis=1)
    salt, note = salt_of(values, options, source)
    if salt == IGNORE:  # then 255 is a label: look again
        for row, index in where.lines():
            part = where.read(volume, row)
            labelled[index, where.crosslines] = np.isfinite(part).any(axis=1)
    chosen, told = choose_sections(labelled, options.label_sections)
    sections = [_section(one, where, volume, placing, salt) for one in chosen]
    notes = [text for text in (note, where.note(volume), *told) if text]
    return sections, notes


@dataclass(frozen=True, eq=False)
class _Overlap:
    """The part of a mask that lies in the survey.

    Attributes:
        mask_inlines: indices of its lines in the mask.
        inlines: indices of the same lines in the survey.
        mask_crosslines: likewise.
        crosslines: likewise.
        first: sample of the survey at the mask's first sample; may be below 0.
        samples: samples of the survey.
    """

    mask_inlines: Indices
    inlines: Indices
    mask_crosslines: Indices
    crosslines: Indices
    first: int
    samples: int

    @classmethod
    def of(cls, volume: MaskVolume, placing: Placing) -> _Overlap:
        """Match a mask with a survey.

        Raises:
            DataError: no line or trace in common, or other samples.
        """
        if volume.kind != placing.grid.kind:
            raise _other_grid(volume, placing, f"is a {volume.kind.upper()} mask")
        inlines = _matched(volume.inlines, placing, "inline", volume.shape[0])
        crosslines = _matched(volume.crosslines, placing, "crossline", volume.shape[1])
        if inlines is None or crosslines is None:
            raise _other_grid(volume, placing, f"has the shape {volume.shape}")
        if not (inlines >= 0).any() or not (crosslines >= 0).any():
            raise _other_grid(volume, placing, "has no line or trace of the survey")
        mask_inlines, mask_crosslines = (
            np.flatnonzero(found >= 0) for found in (inlines, crosslines)
        )
        return cls(
            mask_inlines,
            inlines[mask_inlines],
            mask_crosslines,
            crosslines[mask_crosslines],
            _first_sample(volume, placing),
            placing.grid.samples,
        )

    def lines(self) -> Iterator[tuple[int, int]]:
        """Index in the mask and in the survey of each common inline."""
        return zip(self.mask_inlines.tolist(), self.inlines.tolist(), strict=True)

    def read(self, volume: MaskVolume, row: int) -> Floats:
        """Values of one inline of the mask on the traces and samples of the survey.

        Returns:
            `float32 (traces, samples)`, of the common traces.
        """
        values = volume.read(slice(row, row + 1), slice(None))[0, self.mask_crosslines]
        return self.fitted(values)

    def fitted(self, values: Floats) -> Floats:
        """Values `(traces, samples of the mask)` on the samples of the survey."""
        found = np.full((len(values), self.samples), np.nan, np.float32)
        low, high = max(0, self.first), min(self.samples, self.first + values.shape[1])
        found[:, low:high] = values[:, low - self.first : high - self.first]
        return found

    def note(self, volume: MaskVolume) -> str:
        """What of the mask is outside the survey, in words."""
        lines = volume.shape[0] - len(self.mask_inlines)
        traces = volume.shape[1] - len(self.mask_crosslines)
        if not lines and not traces:
            return ""
        return (
            f"{volume.path.name}: {plural(lines, 'inline')} and {plural(traces, 'crossline')} of "
            "the mask are outside the survey"
        )


def _section(
    chosen: ChosenSection, where: _Overlap, volume: MaskVolume, placing: Placing, salt: float
) -> SectionLabels:
    samples = placing.grid.samples
    mask = np.full((samples, len(chosen.traces)), IGNORE, np.uint8)
    if chosen.axis == "inline":
        row = int(where.mask_inlines[np.flatnonzero(where.inlines == chosen.index)[0]])
        places, values = where.crosslines, where.read(volume, row)
    else:
        column = int(where.mask_crosslines[np.flatnonzero(where.crosslines == chosen.index)[0]])
        read = volume.read(slice(None), slice(column, column + 1))[where.mask_inlines, 0]
        places, values = where.inlines, where.fitted(read)
    found: Mask = classes(values, salt).T
    mask[:, places] = found
    mask[:, ~chosen.traces] = IGNORE
    return SectionLabels(chosen.axis, chosen.index, mask, str(volume.path))


def _matched(numbers: Indices | None, placing: Placing, axis: Axis, count: int) -> Indices | None:
    """Index in the survey of each line of the mask, -1 outside; None where counts must agree."""
    if numbers is None:
        return np.arange(count) if count == len(placing.numbers(axis)) else None
    return placing.index(axis, numbers.astype(np.float64))


def _first_sample(volume: MaskVolume, placing: Placing) -> int:
    grid = placing.grid
    if volume.interval is None:
        if volume.shape[2] != grid.samples:
            raise _other_grid(volume, placing, f"has {integer(volume.shape[2])} samples")
        return 0
    shift = (volume.start - grid.start) / grid.interval
    drift = abs(volume.interval / grid.interval - 1) * volume.shape[2]
    if abs(shift - round(shift)) > _EVEN or drift > 0.5:
        what = f"begins at {volume.start:g} with an interval of {volume.interval:g}"
        raise _other_grid(volume, placing, what)
    first = round(shift)
    if first >= grid.samples or first + volume.shape[2] <= 0:
        raise _other_grid(volume, placing, f"begins at {volume.start:g}")
    return first


def _other_grid(volume: MaskVolume, placing: Placing, what: str) -> DataError:
    own = []
    for name, numbers in (("inlines", volume.inlines), ("crosslines", volume.crosslines)):
        if numbers is not None and not (name == "inlines" and volume.kind == "2d"):
            own.append(f"{name} {span(numbers)}")
    ranges = f" ({', '.join(own)})" if own else ""
    grid = placing.grid
    return DataError(
        f"{volume.path} does not fit the survey: it {what}{ranges}",
        expected=f"a mask of the {grid.kind.upper()} survey or of some of its lines: "
        f"{placing.extent()}, interval {grid.interval:g}, shape {grid.shape}",
        fix="give the mask of this survey, on the survey's own samples",
    )


def _refuse_shape(path: Path, values: AmplitudeArray) -> None:
    shape = values.shape
    if len(shape) not in (2, 3) or 0 in shape or np.dtype(values.dtype).kind not in "bfiu":
        raise DataError(
            f"{path} holds {values.dtype} values of shape {shape}",
            expected="numbers of shape (inlines, crosslines, samples) or (traces, samples)",
            fix="save the mask in the shape of the survey",
        )


def _array_volume(path: Path, values: AmplitudeArray) -> MaskVolume:
    _refuse_shape(path, values)
    flat = len(values.shape) == 2

    def read(inlines: slice, crosslines: slice) -> Floats:
        place = (crosslines, slice(None)) if flat else (inlines, crosslines, slice(None))
        part = np.asarray(values[place], np.float32)
        return part[None] if flat else part

    shape = (1, *values.shape) if flat else values.shape
    return MaskVolume(
        path, "2d" if flat else "3d", None, None, (shape[0], shape[1], shape[2]), None, 0.0, read
    )


def _zarr_volume(path: Path) -> MaskVolume:
    if not is_zarr(path):
        raise DataError(
            f"{path} is a folder but not a Zarr store",
            expected="a Zarr store, a SEG-Y file or an .npy array",
            fix="give the path of the mask itself",
        )
    values, frame = open_zarr(path)
    volume = _array_volume(path, values)
    live = frame.live

    def read(inlines: slice, crosslines: slice) -> Floats:
        part = volume.read(inlines, crosslines).copy()
        if live is not None:
            part[~live[inlines, crosslines]] = np.nan
        return part

    return replace(
        volume,
        inlines=frame.inlines,
        crosslines=frame.crosslines,
        interval=frame.interval,
        start=frame.start,
        read=read,
    )


def _segy_volume(path: Path, survey: Survey) -> MaskVolume:
    """A mask as SEG-Y. Its traces of zeros are labels, unlike those of amplitudes."""
    bare = SurveyHints(allow=("sparse", "velocity", "prestack"), undefined=("none",))
    if not isinstance(survey, SegySurvey):
        return _read_segy(path, bare)
    own = survey.spec().hints  # a mask is written with the headers of its survey as a rule
    hints = replace(bare, inline_byte=own.inline_byte, crossline_byte=own.crossline_byte)
    try:
        return _read_segy(path, hints)
    except SurveyError:
        return _read_segy(path, bare)


def _read_segy(path: Path, hints: SurveyHints) -> MaskVolume:
    layout = find_layout(path, hints)
    if layout.leftover or not layout.traces:
        raise SurveyError(
            f"{path} is truncated, or its traces have different lengths",
            expected="a complete SEG-Y file of a mask",
            fix="write the mask again",
        )
    file = TraceFile(path, layout)
    geometry = find_geometry(file, hints)
    dead = file.headers({_ID})[_ID] == _DEAD
    there = (geometry.traces >= 0) & ~dead[geometry.traces]

    def read(inlines: slice, crosslines: slice) -> Floats:
        live = there[inlines, crosslines]
        found = np.full((*live.shape, layout.samples), np.nan, np.float32)
        found[live] = file.samples(geometry.traces[inlines, crosslines][live])
        return found

    numbered = geometry.kind == "3d" or bool(geometry.choice.crossline)
    rows, columns = geometry.traces.shape
    return MaskVolume(
        path,
        geometry.kind,
        geometry.inline_axis.numbers if geometry.kind == "3d" else None,
        geometry.crossline_axis.numbers if numbered else None,
        (rows, columns, layout.samples),
        layout.interval or None,
        geometry.start,
        read,
    )
