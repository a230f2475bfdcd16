"""SEG-Y as a survey: any revision, byte order and sample format that is in use, gaps and all."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Domain, Grid
from diapir.surveys.segy import refusals
from diapir.surveys.segy.file_layout import TEXT_BLOCK, Layout, find_layout
from diapir.surveys.segy.geometry import Geometry, find_geometry
from diapir.surveys.segy.sample_formats import FORMAT_NAMES, decode_text, other_float_format
from diapir.surveys.segy.traces import TraceFile
from diapir.surveys.survey import Allowance, Endian, check_amplitudes

_MOST_HOPS = 200_000
"""Traces that are followed to find out whether their lengths differ."""
_FIRST_TRACES = 64
"""Trace headers whose lengths are looked at in a file that seems to be in order."""


class SegySurvey:
    """A SEG-Y file.

    Args:
        path: the file; it is only read.
        inline_byte: see `open_survey`, as the other options.
        crossline_byte: where crossline or CDP begin.
        x_byte: where the easting begins.
        y_byte: where the northing begins.
        endian: byte order.
        sample_format: code of the samples.
        domain: what runs down the traces.
        interval: between samples, in ms or m.
        allow: refusals that do not apply.
        progress: called with traces read and all while headers are read.

    Attributes:
        layout: how the bytes lie.
        geometry: which trace lies where, and how that was found.

    Raises:
        SurveyError: no SEG-Y, or one that cannot be used, saying why.
    """

    def __init__(
        self,
        path: Path,
        *,
        inline_byte: int | None = None,
        crossline_byte: int | None = None,
        x_byte: int | None = None,
        y_byte: int | None = None,
        endian: Endian | None = None,
        sample_format: int | None = None,
        domain: Domain | None = None,
        interval: float | None = None,
        allow: Collection[Allowance] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.path = path
        self.name = path.stem
        layout = find_layout(path, endian=endian, sample_format=sample_format)
        self.layout = _checked(path, layout, interval, allow)
        self._allow = tuple(sorted(allow))
        self._file = TraceFile(path, self.layout)
        self.geometry: Geometry = find_geometry(
            self._file,
            inline_byte=inline_byte,
            crossline_byte=crossline_byte,
            x_byte=x_byte,
            y_byte=y_byte,
            allow=allow,
            progress=progress,
        )
        self.grid = Grid(
            kind=self.geometry.kind,
            inlines=self.geometry.inline_axis.numbers,
            crosslines=self.geometry.crossline_axis.numbers,
            samples=self.layout.samples,
            interval=self.layout.interval,
            start=self.geometry.start,
            domain=domain or "unknown",
            live=self.geometry.live,
            easting=self.geometry.easting,
            northing=self.geometry.northing,
        )
        check_amplitudes(self, allow)
        self.notes = (*self.layout.notes, *self.geometry.notes, *self._format_note())

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Amplitudes of a part of the grid, as `Survey.read`."""
        live = self.grid.live[inlines, crosslines]
        found = self._file.samples(self.geometry.traces[inlines, crosslines][live])
        found[~np.isfinite(found)] = np.nan
        if live.all():
            return found.reshape(*live.shape, self.grid.samples)
        amplitudes = np.full((*live.shape, self.grid.samples), np.nan, np.float32)
        amplitudes[live] = found
        return amplitudes

    def spec(self) -> dict[str, Any]:
        """All that was found out, so that nothing is judged again."""
        choice = self.geometry.choice
        return {
            "path": str(self.path.resolve()),
            "inline_byte": choice.inline,
            "crossline_byte": choice.crossline,
            "x_byte": choice.easting,
            "y_byte": choice.northing,
            "endian": self.layout.endian,
            "sample_format": self.layout.sample_format,
            "domain": self.grid.domain,
            "interval": self.grid.interval,
            "allow": list(self._allow),
        }

    def close(self) -> None:
        """Nothing is held open between reads."""

    @property
    def text(self) -> list[str]:
        """The lines of the text header."""
        with self.path.open("rb") as stream:
            return decode_text(stream.read(TEXT_BLOCK), self.layout.encoding)

    def _format_note(self) -> list[str]:
        """A word where samples are in another floating-point format than the file states."""
        live = np.sort(self.geometry.traces[self.grid.live])
        raw = self._file.raw_samples(int(live[len(live) // 2]), 1)
        other = other_float_format(raw, self.layout.sample_format, self.layout.order)
        if other is None:
            return []
        return [
            f"the samples look like format {other} ({FORMAT_NAMES[other]}), not "
            f"{self.layout.sample_format}: try --sample-format {other}"
        ]


def _checked(
    path: Path, layout: Layout, interval: float | None, allow: Collection[Allowance]
) -> Layout:
    """The layout of a file that is whole, its traces of one length and their spacing known."""
    counts = _lengths(path, layout)
    if len(counts) > 1:
        raise refusals.variable_length(path, sorted(counts))
    if not layout.traces or (layout.leftover and "truncated" not in allow):
        raise refusals.truncated(
            path,
            whole=layout.traces,
            whole_bytes=layout.data_start + layout.traces * layout.trace_bytes,
            left=layout.leftover,
            needed=layout.trace_bytes,
        )
    if layout.leftover:
        note = f"the file is cut off; its {layout.traces:,} whole traces are used"
        layout = replace(layout, notes=(*layout.notes, note))
    if interval is None and not layout.interval:
        raise refusals.no_interval(path)
    return replace(layout, interval=layout.interval if interval is None else interval)


def _lengths(path: Path, layout: Layout) -> set[int]:
    """Samples of the traces, followed by what each trace header says; one number if they agree.

    Trace headers are wrong more often than not varied, so that they count only where following
    them through the whole file, or far into it, meets whole traces all the way.
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


def _claims_vary(path: Path, layout: Layout) -> bool:
    """Whether the first trace headers, if traces are of one length, say different lengths."""
    claims = set()
    with path.open("rb") as stream:
        for trace in range(min(layout.traces, _FIRST_TRACES)):
            stream.seek(layout.data_start + trace * layout.trace_bytes + 114)
            claims.add(stream.read(2))
    return len(claims) > 1
