"""Whether trace headers are where a layout expects them, told by what they have in common.

Counts in headers and the size of a file say little about each other: stray bytes, padding and
unstated headers make them disagree, and sometimes agree by chance. But the headers of one file
share the number of samples, the interval and some codes, and count up from trace to trace.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from diapir.surveys.segy.sample_formats import ByteOrder

TRACE_HEADER = 240
_SAMPLES_AND_INTERVAL = 114
"""Bytes before the number of samples and the interval, two 16-bit numbers."""
_SHARED = {114: 2, 116: 2, 28: 1, 68: 1, 70: 1}
"""Offset of 16-bit fields that all traces share as a rule, and the weight of each."""
_COUNTING = (0, 4)
"""Offset of 32-bit fields that count traces; each has weight 2."""
_LARGEST_STEP = 4096
"""Step between neighbours up to which a field counts traces, some of which are left out."""
_ENOUGH = 3
"""Weight of the marks below which they say nothing."""
_FIRST_TRACES = 16
"""Traces from which the marks are taken: the first of them may have blank headers."""
_ALL = 512
"""Traces up to which every header is checked; of longer files, as many spread over them."""
_MOST_OF_A_BLANK = 16
"""Bytes of a null trace's header that are not 0 at most."""
_BROKEN_RUN = 3
"""Headers in a row that are not as expected, where bytes may be stray or missing."""


@dataclass(frozen=True)
class Marks:
    """What the headers of a file share.

    Attributes:
        shared: the two bytes at each offset.
        counting: offsets of fields that count traces.
    """

    shared: dict[int, bytes]
    counting: tuple[int, ...]

    @cached_property
    def weight(self) -> int:
        """How much the marks tell; 0 where it is too little."""
        weight = sum(_SHARED[offset] for offset in self.shared) + 2 * len(self.counting)
        return weight if weight >= _ENOUGH else 0

    def fits(self, header: bytes, before: bytes, order: ByteOrder) -> bool:
        """Whether a header has most of the marks.

        Args:
            header: 240 bytes where a header is expected.
            before: those of the trace before it.
            order: byte order.
        """
        found = sum(
            _SHARED[offset]
            for offset, value in self.shared.items()
            if header[offset : offset + 2] == value
        )
        found += 2 * sum(_counts_on(before, header, offset, order) for offset in self.counting)
        return 2 * found > self.weight


def is_blank(header: bytes) -> bool:
    """Whether a header is that of a null trace: zeros, but for a code or a position perhaps."""
    place = _SAMPLES_AND_INTERVAL
    told = header[:8] + header[place : place + 4]
    return not any(told) and len(header) - header.count(0) <= _MOST_OF_A_BLANK


def marks_of(first: bytes, second: bytes, order: ByteOrder) -> Marks:
    """What the headers of two neighbouring traces share."""
    shared = {
        offset: first[offset : offset + 2]
        for offset in _SHARED
        if any(first[offset : offset + 2])
        and first[offset : offset + 2] == second[offset : offset + 2]
    }
    counting = tuple(
        offset
        for offset in _COUNTING
        if _number(second, offset, order) - _number(first, offset, order) == 1
    )
    return Marks(shared, counting)


def _number(header: bytes, offset: int, order: ByteOrder) -> int:
    return int(struct.unpack_from(order + "i", header, offset)[0])


def _counts_on(before: bytes, header: bytes, offset: int, order: ByteOrder) -> bool:
    step = _number(header, offset, order) - _number(before, offset, order)
    return 0 < abs(step) <= _LARGEST_STEP


@dataclass(frozen=True)
class Agreement:
    """How the headers of a file agree with a layout.

    Attributes:
        marks: what the first headers share.
        share: share of the headers that were checked and have the marks; blank ones are left out.
        broken_at: index of the first trace from which on they do not; None where they do.
        odd: indices of single traces, among those checked, whose headers do not.
    """

    marks: Marks
    share: float
    broken_at: int | None
    odd: tuple[int, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the headers tell anything."""
        return self.marks.weight > 0

    @property
    def whole(self) -> bool:
        """Whether headers are where they are expected, from the first trace to the last."""
        return self.known and self.broken_at is None and self.share > 0.5


class HeaderPlaces:
    """The places of trace headers, a fixed number of bytes apart.

    Args:
        stream: the file.
        order: byte order.
        start: bytes before the first trace.
        pitch: bytes from one trace to the next.
        count: number of traces.
    """

    def __init__(
        self, stream: BinaryIO, order: ByteOrder, start: int, pitch: int, count: int
    ) -> None:
        self._stream = stream
        self._order = order
        self._start, self._pitch, self._count = start, pitch, count

    def header(self, trace: int) -> bytes:
        """The 240 bytes where the header of a trace is expected; fewer at the end of the file."""
        self._stream.seek(self._start + trace * self._pitch)
        return self._stream.read(TRACE_HEADER)

    def agreement(self) -> Agreement:
        """Check the headers at their places, of all traces or of some spread over the file."""
        marks = self._marks()
        if not marks.weight:
            return Agreement(marks, 0.0, None)
        found = {trace: self._fits(marks, trace) for trace in self._checked()}
        told = {trace: fits for trace, fits in found.items() if fits is not None}
        share = sum(told.values()) / max(1, len(told))
        odd = tuple(trace for trace, fits in told.items() if not fits)
        return Agreement(marks, share, self._broken_at(marks, told), odd)

    def _marks(self) -> Marks:
        """What the first neighbours share whose headers are not blank, the first header of all too.

        Where the second header is damaged, later ones still share marks with the first.
        """
        first = before = b""
        for trace in range(min(self._count, _FIRST_TRACES)):
            header = self.header(trace)
            if len(header) == TRACE_HEADER and not (is_blank(header) or is_blank(before)):
                marks = marks_of(before, header, self._order)
                if marks.weight and Marks(marks.shared, ()).fits(first, first, self._order):
                    return marks
                if before is first and marks.weight:
                    return marks
            before = header
            first = header if is_blank(first) else first
        return Marks({}, ())

    def _checked(self) -> list[int]:
        if self._count <= _ALL:
            return list(range(1, self._count))
        spread = (1 + step * (self._count - 2) // (_ALL - 1) for step in range(_ALL))
        return sorted({*spread, *range(1, 9), *range(self._count - 8, self._count)})

    def _fits(self, marks: Marks, trace: int) -> bool | None:
        """Whether a header has the marks; None for a blank one, and after a blank one."""
        header = self.header(trace)
        if is_blank(header):
            return None
        before = self.header(trace - 1) if marks.counting else header
        if is_blank(before):  # nothing to count on from
            marks = Marks(marks.shared, ())
            if not marks.weight:
                return None
        return len(header) == TRACE_HEADER and marks.fits(header, before, self._order)

    def _broken_at(self, marks: Marks, told: dict[int, bool]) -> int | None:
        """The first trace of the first long run of headers without the marks."""
        run: list[int] = []
        good = 0
        for trace, fits in [*told.items(), (self._count, True)]:
            if not fits:
                run.append(trace)
                continue
            to_the_end = trace == self._count
            if run and (to_the_end or len(run) >= _BROKEN_RUN):
                bad = run[0]
                while bad - good > 1:  # in a long file most traces between them are not checked
                    middle = (bad + good) // 2
                    if self._fits(marks, middle) is False:
                        bad = middle
                    else:
                        good = middle
                return bad
            run, good = [], trace
        return None


def headers_after(
    stream: BinaryIO, order: ByteOrder, header: bytes, start: int, end: int
) -> Iterator[int]:
    """Places between two bytes of a file where the header of the next trace may begin.

    Args:
        stream: the file.
        order: byte order.
        header: the 240 bytes of the header of a trace.
        start: first byte of the range.
        end: byte after the range.

    Yields:
        bytes before each header that shares enough with `header`, rising for each key.
    """
    stream.seek(start)
    content = stream.read(max(0, end - start))
    for key, offset in _keys(header, order):
        place = content.find(key)
        while place >= 0:
            first = place - offset
            found = content[first : first + TRACE_HEADER] if first >= 0 else b""
            if len(found) == TRACE_HEADER and marks_of(header, found, order).weight:
                yield start + first
            place = content.find(key, place + 1)


def _keys(header: bytes, order: ByteOrder) -> Iterator[tuple[bytes, int]]:
    """Bytes of the next header that can be searched for, the most telling first, and their offset.

    Zeros tell nothing: samples are full of them.
    """
    place = _SAMPLES_AND_INTERVAL
    if any(header[place : place + 2]) and any(header[place + 2 : place + 4]):
        yield header[place : place + 4], place
    for offset in _COUNTING:
        number = _number(header, offset, order) + 1
        if 0 < number < 2**31:
            yield struct.pack(order + "i", number), offset
