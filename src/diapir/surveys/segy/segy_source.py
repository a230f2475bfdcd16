"""A SEG-Y file as a survey: any revision, byte order and sample format in use, with gaps."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.progress import Progress
from diapir.surveys.grid import Grid
from diapir.surveys.hints import SurveyHints, SurveySpec
from diapir.surveys.sampling import Undefined, check_amplitudes, find_survey_undefined
from diapir.surveys.segy import refusals
from diapir.surveys.segy.file_layout import HEAD, TEXT_BLOCK, SegyLayout, find_layout
from diapir.surveys.segy.geometry import SegyGeometry, find_geometry
from diapir.surveys.segy.header_units import find_units
from diapir.surveys.segy.sample_formats import FORMAT_NAMES, decode_text, other_float_format
from diapir.surveys.segy.text_header import TextHints, text_hints
from diapir.surveys.segy.traces import TraceFile
from diapir.undefined import hide_undefined

_MOST_HOPS = 200_000
"""Traces followed at most to find whether their lengths differ."""
_FIRST_TRACES = 64
"""Trace headers whose lengths are compared in a file that seems in order."""


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
        self._allow = tuple(sorted(hints.allow))
        self._file = TraceFile(path, self.layout)
        self.geometry: SegyGeometry = find_geometry(self._file, hints, progress)
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
            *self._format_note(),
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
            domain=None if domain == "unknown" else domain,
            interval=self.grid.interval,
            depth_unit=self.units.depth,
            coordinate_unit=self.units.stored,
            allow=self._allow,
            undefined=() if self._undefined is None else self._undefined.hint,
        )
        return SurveySpec(str(self.path.resolve()), hints)

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

    def _format_note(self) -> list[str]:
        """A note where the samples look like another floating-point format than the header's."""
        live = np.sort(self.geometry.traces[self.grid.live])
        raw = self._file.raw_samples(int(live[len(live) // 2]), 1)
        other = other_float_format(raw, self.layout.sample_format, self.layout.order)
        if other is None:
            return []
        return [
            f"the samples look like format {other} ({FORMAT_NAMES[other]}), not format "
            f"{self.layout.sample_format}; try --sample-format {other}"
        ]


def _checked(path: Path, layout: SegyLayout, hints: SurveyHints) -> SegyLayout:
    """The layout with the sample interval settled.

    Raises:
        SurveyError: traces of different lengths, a file that is cut off, or no sample interval.
    """
    counts = _lengths(path, layout)
    if len(counts) > 1:
        raise refusals.variable_length(path, sorted(counts))
    if not layout.traces or (layout.leftover and "truncated" not in hints.allow):
        raise refusals.truncated(
            path,
            whole=layout.traces,
            whole_bytes=layout.data_start + layout.traces * layout.trace_bytes,
            left=layout.leftover,
            needed=layout.trace_bytes,
        )
    if layout.leftover:
        note = f"the file is truncated; its {layout.traces:,} whole traces are used"
        layout = replace(layout, notes=(*layout.notes, note))
    interval = layout.interval if hints.interval is None else hints.interval
    if not interval:
        raise refusals.no_interval(path)
    return replace(layout, interval=interval)


def _lengths(path: Path, layout: SegyLayout) -> set[int]:
    """The numbers of samples that traces have; one number where all agree.

    Trace headers are wrong more often than traces vary in length. They are trusted only where
    following their lengths through the file, or far into it, meets whole traces all the way.
    """
    if not layout.leftover and not _claims_vary(path, layout):
        return {layout.samples}
    sample_size = (layout.trace_bytes - layout.header_bytes) // layout.samples
    counts: set[int] = set()
    size = path.stat().st_size
    offset = layout.data_start
    with path.open("rb") as stream:
        for _ in range(_MOST_HOPS):
            if offset == size:
                return counts
            stream.seek(offset + 114)
            field = stream.read(2)
            if len(field) < 2:
                return {layout.samples}
            samples = int(struct.unpack(layout.order + "H", field)[0])
            counts.add(samples)
            offset += layout.header_bytes + samples * sample_size
            if offset > size or not samples:
                return {layout.samples}
    return counts


def _claims_vary(path: Path, layout: SegyLayout) -> bool:
    """Whether the first trace headers, found at a fixed length, state different lengths."""
    claims = set()
    with path.open("rb") as stream:
        for trace in range(min(layout.traces, _FIRST_TRACES)):
            stream.seek(layout.data_start + trace * layout.trace_bytes + 114)
            claims.add(stream.read(2))
    return len(claims) > 1
