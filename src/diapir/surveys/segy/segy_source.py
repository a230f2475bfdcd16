"""A SEG-Y file as a survey: any revision, byte order and sample format in use, with gaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.progress import Progress
from diapir.surveys.grid import Grid
from diapir.surveys.hints import SurveyHints, SurveySpec
from diapir.surveys.sampling import Undefined, check_amplitudes, find_survey_undefined
from diapir.surveys.segy import refusals
from diapir.surveys.segy.geometry import SegyGeometry, find_geometry
from diapir.surveys.segy.header_units import find_units
from diapir.surveys.segy.layout.binary_header import HEAD, TEXT_BLOCK
from diapir.surveys.segy.layout.file_end import trace_lengths
from diapir.surveys.segy.layout.file_layout import find_layout
from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.segy.sample_formats import (
    FORMAT_NAMES,
    UNSIGNED,
    decode_text,
    middle_of_unsigned,
    other_float_format,
    sample_bytes,
)
from diapir.surveys.segy.text_header import TextHints, text_hints
from diapir.surveys.segy.trace_table import TraceTable
from diapir.surveys.segy.traces import TraceFile
from diapir.undefined import hide_undefined

_MOST_SAMPLES = 2**16
_SHOWN_COUNTS = 3
"""Numbers of samples that a message offers."""
_FORMAT_TRACES = 256
"""Traces whose samples show their format."""


class SegySurvey:
    """A SEG-Y file.

    Args:
        path: the file; it is only read.
        hints: what is known of it.
        progress: called with the trace headers read and the number there are.

    Attributes:
        stored: the file that is read: `path`, or an unpacked copy of it.
        layout: where everything is in the file.
        geometry: the grid, the trace at each position, and how they were found; coordinates as in
            the file.
        units: units of lengths and coordinates, and the coordinates of `grid` in them.

    Raises:
        SurveyError: the file is not SEG-Y, or cannot be used; the message says why.
    """

    def __init__(self, path: Path, hints: SurveyHints, *, progress: Progress | None = None) -> None:
        self.path = path
        self.stored = path
        self.name = path.stem
        self.layout = _checked(path, find_layout(path, hints), hints)
        self._hints = hints
        self.geometry: SegyGeometry = find_geometry(TraceFile(path, self.layout), hints, progress)
        raw = self._raw_samples()
        self._file = TraceFile(path, self.layout, self._zero(raw))
        with path.open("rb") as stream:
            head = stream.read(HEAD)
        self.units = find_units(head, self.layout, self.geometry, hints, self.hints.feet)
        self.grid = Grid(
            kind=self.geometry.kind,
            inlines=self.geometry.inline_axis.numbers,
            crosslines=self.geometry.crossline_axis.numbers,
            samples=self.layout.samples,
            interval=self.layout.interval,
            start=self.geometry.start,
            domain=hints.domain or "unknown",
            live=self.geometry.live,
            easting=self.units.easting,
            northing=self.units.northing,
            depth_unit=self.units.depth,
            xy_unit=self.units.coordinates,
        )
        self._undefined: Undefined | None = None
        self._undefined = find_survey_undefined(self, hints)
        check_amplitudes(self, hints.allow)
        self.notes = (
            *self.layout.notes,
            *self.geometry.notes,
            *self.units.notes,
            *self._format_notes(raw),
            *self._undefined.notes,
            *self._domain_notes(hints),
        )

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read the amplitudes of a part of the grid; see `Survey.read`."""
        live = self.grid.live[inlines, crosslines]
        found = self._file.samples(self.geometry.traces[inlines, crosslines][live])
        if self._undefined is not None:
            hide_undefined(found, self._undefined.values)
        if live.all():
            return found.reshape(*live.shape, self.grid.samples)
        amplitudes = np.full((*live.shape, self.grid.samples), np.nan, np.float32)
        amplitudes[live] = found
        return amplitudes

    def spec(self) -> SurveySpec:
        """Argument of `reopen`: every choice made here, so that none is made again."""
        choice, domain = self.geometry.choice, self.grid.domain
        hints = SurveyHints(
            inline_byte=choice.inline,
            crossline_byte=choice.crossline,
            x_byte=choice.easting,
            y_byte=choice.northing,
            endian=self.layout.endian,
            sample_format=self.layout.sample_format,
            samples=self._hints.samples,
            data_start=self._hints.data_start,
            trace_header_bytes=self._hints.trace_header_bytes,
            trace_bytes=self._hints.trace_bytes,
            domain=None if domain == "unknown" else domain,
            interval=self.grid.interval,
            depth_unit=self.units.depth,
            coordinate_unit=self.units.stored,
            allow=tuple(sorted(self._hints.allow)),
            undefined=() if self._undefined is None else self._undefined.hint,
        )
        return SurveySpec(str(self.path.resolve()), hints)

    def trace_table(self, table: Path, first: int, samples: int) -> TraceTable:
        """Its traces for other processes, once the table is written; see `TraceTable`."""
        undefined = () if self._undefined is None else self._undefined.values
        file = str(self.stored.resolve())
        return TraceTable(file, str(table), self.layout, self._file.zero, undefined, first, samples)

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    @property
    def text(self) -> list[str]:
        """The lines of the text header, and of extended text headers."""
        with self.stored.open("rb") as stream:
            head = stream.read(HEAD + TEXT_BLOCK * self.layout.extended)
        starts = [0, *range(HEAD, len(head), TEXT_BLOCK)]
        blocks = [head[start : start + TEXT_BLOCK] for start in starts]
        return [line for block in blocks for line in decode_text(block, self.layout.encoding)]

    @property
    def hints(self) -> TextHints:
        """What the text header hints at."""
        return text_hints(self.text)

    def _domain_notes(self, hints: SurveyHints) -> list[str]:
        """A note where the text header names a domain that the user does not."""
        told = self.hints.domain
        if told is None or told[0] == hints.domain:
            return []
        domain, words = told
        if hints.domain is None:
            return [
                f'the text header mentions "{words}", so that the samples may be in {domain}: '
                f"--domain {domain}"
            ]
        return [f'the text header mentions "{words}", but --domain {hints.domain} is given']

    def _raw_samples(self) -> NDArray[np.uint8]:
        """The stored samples of some live traces spread over the file."""
        live = np.sort(self.geometry.traces[self.geometry.live])
        chosen = live[:: 1 + len(live) // _FORMAT_TRACES] if len(live) else live
        file = TraceFile(self.path, self.layout)
        found = [file.raw_samples(int(trace), 1) for trace in chosen]
        width = self.layout.sample_columns
        return np.concatenate(found or [np.empty((0, width.stop - width.start), np.uint8)])

    def _zero(self, raw: NDArray[np.uint8]) -> int:
        """The stored integer that stands for 0; none is looked for in an attribute."""
        if "velocity" in self._hints.allow:
            return 0
        return middle_of_unsigned(raw, self.layout.sample_format, self.layout.order)

    def _format_notes(self, raw: NDArray[np.uint8]) -> list[str]:
        """Notes on samples that look like another format than the header's, or are unsigned."""
        stated = self.layout.sample_format
        if stated in UNSIGNED and self._file.zero:
            return [
                f"the samples are unsigned (format {stated}) and lie about {self._file.zero:,}, "
                "which is read as an amplitude of 0; --allow velocity reads them as stored"
            ]
        other = other_float_format(raw, stated, self.layout.order)
        if other is None:
            return []
        return [
            f"the samples look like format {other} ({FORMAT_NAMES[other]}), not format "
            f"{stated}; try --sample-format {other}"
        ]


def _checked(path: Path, layout: SegyLayout, hints: SurveyHints) -> SegyLayout:
    """The layout of whole traces with a sample interval.

    Raises:
        SurveyError: traces of different lengths or in unexpected places, a file that is cut off, or
            no sample interval.
    """
    counts = trace_lengths(path, layout)
    if len(counts) > 1:
        raise refusals.variable_length(path, sorted(counts))
    if not layout.traces or (layout.leftover and "truncated" not in hints.allow):
        raise _unfinished(path, layout, hints)
    if layout.leftover:
        note = f"the file is truncated; its {layout.traces:,} whole traces are used"
        if layout.fault:
            note = f"only the first {layout.traces:,} traces are used: {layout.fault}"
        layout = replace(layout, notes=(*layout.notes, note))
    if not layout.interval:
        raise refusals.no_interval(path)
    return layout


def _unfinished(path: Path, layout: SegyLayout, hints: SurveyHints) -> SurveyError:
    """The error of traces that do not fill the file."""
    if layout.fault:
        return refusals.misplaced(
            path, fault=layout.fault, good=layout.traces, trace_bytes=layout.trace_bytes
        )
    return refusals.truncated(
        path,
        whole=layout.traces,
        whole_bytes=layout.data_start + layout.traces * layout.trace_bytes,
        left=layout.leftover,
        needed=layout.trace_bytes,
        counts=None if layout.marked or hints.samples else _filling_counts(layout),
    )


def _filling_counts(layout: SegyLayout) -> list[int]:
    """Numbers of samples near the stated one with which whole traces would fill the file."""
    size = sample_bytes(layout.sample_format)
    total = layout.traces * layout.trace_bytes + layout.leftover
    counts = [
        count
        for count in range(1, _MOST_SAMPLES)
        if layout.header_bytes + count * size <= total
        and total % (layout.header_bytes + count * size) == 0
    ]
    return sorted(counts, key=lambda count: abs(count - layout.samples))[:_SHOWN_COUNTS]
