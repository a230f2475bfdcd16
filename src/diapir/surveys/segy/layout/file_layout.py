"""The byte layout of a SEG-Y file, found from the file itself; its headers are only hints.

Byte order, sample format, samples per trace and the start of the traces are what the headers state.
Each statement is checked against the size of the file, against the others and against the trace
headers, and no memory is allocated because of one. Bytes are counted from 1, as in the standard.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from diapir.errors import SurveyError
from diapir.surveys.hints import Endian, SurveyHints
from diapir.surveys.segy import refusals
from diapir.surveys.segy.layout.binary_header import (
    ENDIAN_BYTE,
    ENDIAN_CONSTANT,
    HEAD,
    TEXT_BLOCK,
    BinaryHeader,
)
from diapir.surveys.segy.layout.file_end import settle_end, trace_lengths
from diapir.surveys.segy.layout.layout_search import Spacing, search_spacing
from diapir.surveys.segy.layout.sample_interval import settle_interval
from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.segy.layout.trace_marks import TRACE_HEADER, Agreement, HeaderPlaces
from diapir.surveys.segy.layout.trace_starts import TraceStarts
from diapir.surveys.segy.sample_formats import (
    SAMPLE_TYPES,
    sample_bytes,
)
from diapir.text import plural

_MOST = 0.3
"""Share of trace headers that a layout must find where nothing states it."""
_SOME = 2
"""Trace headers after the first by which a distance is one of traces."""


def find_layout(path: Path, hints: SurveyHints) -> SegyLayout:
    """Find how the bytes of a SEG-Y file lie.

    Args:
        path: the file.
        hints: byte order, sample format and places, where they are known.

    Returns:
        The layout; `leftover` is not 0 where the file is truncated, its traces vary in length, or
        its trace headers are not where they should be.

    Raises:
        SurveyError: the file is not SEG-Y, or its format cannot be read.
        OSError: as the system gives it.
    """
    if hints.sample_format is not None and hints.sample_format not in SAMPLE_TYPES:
        raise refusals.unknown_format(path, hints.sample_format)
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        if len(head) < HEAD or size < HEAD + TRACE_HEADER:
            raise SurveyError(
                f"{path} is not a SEG-Y file: it has only {size:,} bytes",
                expected="a text header of 3,200 bytes, a binary header of 400 bytes, and traces",
                fix="give a SEG-Y file, a Zarr store or an .npy array",
            )
        orders: tuple[Endian, ...] = (hints.endian,) if hints.endian else ("big", "little")
        readings = [_Reading(stream, head, size, order, hints) for order in orders]
        found = [one for reading in readings for one in reading.stated()]
        if not any(one.sound or len(trace_lengths(path, one.layout)) > 1 for one in found):
            found += [one for reading in readings for one in reading.searched()]
        if not found:
            raise refusals.no_layout(path, head, orders)
        # the first of equals: big-endian, and the sample count of the binary header
        best = max(found, key=lambda one: one.score)
        layout = settle_interval(stream, best.layout, best.header, hints.interval)
        return settle_end(stream, layout, best.agreement, size)


@dataclass(frozen=True)
class _Candidate:
    """A layout and how well it agrees with the file.

    Attributes:
        layout: the layout.
        header: the binary header it comes from.
        agreement: of the trace headers.
        score: meaningful only compared with other layouts of the file.
    """

    layout: SegyLayout
    header: BinaryHeader
    agreement: Agreement
    score: float

    @property
    def sound(self) -> bool:
        """Whether no other layout need be searched for."""
        return self.agreement.whole


class _Reading:
    """A file read in one byte order.

    Args:
        stream: the file.
        head: its first 3600 bytes.
        size: its bytes.
        endian: the byte order.
        hints: what is known of it.
    """

    def __init__(
        self, stream: BinaryIO, head: bytes, size: int, endian: Endian, hints: SurveyHints
    ) -> None:
        self._stream, self._head, self._size, self._hints = stream, head, size, hints
        self._header = BinaryHeader.read(head, endian)
        self._code = hints.sample_format or self._header.integer("sample_format")
        self._starts = TraceStarts(stream, head, size, self._header, hints.data_start)

    def stated(self) -> Iterator[_Candidate]:
        """Layouts that the headers may mean."""
        if self._code not in SAMPLE_TYPES:
            return
        for start in self._starts.stated():
            for extensions in self._header.extensions:
                header_bytes = self._hints.trace_header_bytes or TRACE_HEADER * (1 + extensions)
                counts = self._counts(start)
                for index, samples in enumerate(counts):
                    odd = (
                        f"traces have {samples} samples; the binary header says {counts[0]}"
                        "; --samples changes it"
                    )
                    spacing = Spacing(
                        header_bytes,
                        samples,
                        self._hints.trace_bytes
                        or header_bytes + samples * sample_bytes(self._code),
                        odd if index else "",
                    )
                    yield from self._candidates(start, [spacing])

    def searched(self) -> Iterator[_Candidate]:
        """Layouts that the places of the trace headers show, whatever is stated of them."""
        known = (self._hints.samples, self._hints.trace_bytes, self._hints.trace_header_bytes)
        if self._code not in SAMPLE_TYPES or (self._hints.data_start and any(known)):
            return
        for start in self._starts.searched():
            spacings = search_spacing(
                self._stream,
                self._header.order,
                start,
                self._size,
                stated=self._counts(start),
                sample_format=self._code,
                asked=self._hints.samples,
            )
            for one in self._candidates(start, spacings):
                if one.agreement.share > _MOST:
                    yield one
                if one.agreement.share * one.layout.traces >= _SOME:
                    break  # larger distances are its multiples

    def _candidates(self, start: int, spacings: Iterable[Spacing]) -> Iterator[_Candidate]:
        """The layouts with these spacings of traces, each checked."""
        header = self._header
        trailers = header.integer("trailers")
        credible = 0 < trailers <= (self._size - start) // TEXT_BLOCK
        end = self._size - TEXT_BLOCK * trailers * credible
        for one in spacings:
            needed = one.header_bytes + one.samples * sample_bytes(self._code)
            if one.samples <= 0 or start + TRACE_HEADER > end or one.trace_bytes < needed:
                continue
            layout = SegyLayout(
                endian=header.endian,
                revision=header.revision,
                sample_format=self._code,
                samples=one.samples,
                interval=header.interval_us / 1000,
                encoding=self._starts.encoding,
                data_start=start,
                header_bytes=one.header_bytes,
                trace_bytes=one.trace_bytes,
                traces=(end - start) // one.trace_bytes,
                leftover=(end - start) % one.trace_bytes,
                extended=max(0, start - HEAD) // TEXT_BLOCK,
                notes=(
                    *header.notes,
                    *self._starts.notes,
                    *filter(None, [one.note or self._header_note(one), self._start_note(start)]),
                ),
            )
            places = HeaderPlaces(
                self._stream, layout.order, start, layout.trace_bytes, layout.traces
            )
            agreement = places.agreement()
            layout = replace(layout, marked=agreement.known)
            yield _Candidate(layout, header, agreement, self._score(layout, agreement))

    def _header_note(self, spacing: Spacing) -> str:
        """A note where trace headers are not as long as the binary header says; else empty."""
        stated = TRACE_HEADER * (1 + self._header.extensions[0])
        if spacing.header_bytes == stated or self._hints.trace_header_bytes:
            return ""
        return (
            f"each trace has headers of {spacing.header_bytes} bytes in all, not {stated} as the "
            "binary header states for its revision; --trace-header-bytes changes it"
        )

    def _start_note(self, start: int) -> str:
        """A note where traces do not begin where the binary header says; else empty."""
        stated = HEAD + TEXT_BLOCK * self._header.integer("extended_text")
        if start in (next(self._starts.stated()), stated):
            return ""
        blocks, rest = divmod(start - HEAD, TEXT_BLOCK)
        what = f"{start - HEAD:,} bytes" if rest else plural(blocks, "extended text header")
        return (
            f"the first trace follows after {what}; the binary header states "
            f"{self._starts.extended}; --data-start changes it"
        )

    def _score(self, layout: SegyLayout, agreement: Agreement) -> float:
        score = 32 * agreement.share if agreement.known else 0.0
        if layout.revision[0] == 2:
            constant = struct.unpack_from(layout.order + "I", self._head, ENDIAN_BYTE - 1)[0]
            score += 16 * (constant == ENDIAN_CONSTANT)
        score += 8 * (layout.leftover == 0 and layout.traces > 0)
        score += 4 * (layout.traces > 0)
        samples, interval_us = self._trace_fields(layout.data_start)
        score += 2 * (samples == layout.samples)
        score += interval_us > 0 and interval_us / 1000 == layout.interval
        score += 0.1 <= layout.interval <= 32  # 100 µs … 32 ms, or as many metres
        return score + (struct.unpack_from(layout.order + "h", self._head, 3502)[0] in (0, 1))

    def _counts(self, start: int) -> list[int]:
        """Sample counts that the headers state, the binary header's first."""
        if self._hints.samples is not None:
            return [self._hints.samples]
        stated = (self._header.samples, self._trace_fields(start)[0])
        return list(dict.fromkeys(stated))

    def _trace_fields(self, start: int) -> tuple[int, int]:
        """Samples and interval that the first trace header states; 0 where there is none."""
        self._stream.seek(start)
        first = self._stream.read(TRACE_HEADER)
        if len(first) < TRACE_HEADER:
            return 0, 0
        samples, interval = struct.unpack_from(self._header.order + "HH", first, 114)
        return samples, interval
