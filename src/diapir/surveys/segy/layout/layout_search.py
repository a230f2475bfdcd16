"""Find how far apart traces are, from the places of their headers.

For files whose headers state a wrong number of samples, or leave out that traces are padded or have
additional headers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.layout.trace_marks import TRACE_HEADER, headers_after
from diapir.surveys.segy.sample_formats import ByteOrder, decode_samples, is_text, sample_bytes
from diapir.text import plural

_REACH = 4 * 2**20
"""Bytes after a trace header within which the next one is searched for."""
_MOST_PLACES = 8
"""Places that are tried as the second trace's at most."""
_COMPARED = 32
"""Traces whose bytes outside the stated samples are compared."""
_LARGER = 100
"""Times the largest amplitude from which bytes are no samples."""


@dataclass(frozen=True)
class Spacing:
    """The bytes of a trace.

    Attributes:
        header_bytes: of its header or headers.
        samples: number of samples.
        trace_bytes: from one trace to the next.
        note: what the headers state instead, and the option that changes it; empty where they
            state the same.
    """

    header_bytes: int
    samples: int
    trace_bytes: int
    note: str = ""


def search_spacing(
    stream: BinaryIO,
    order: ByteOrder,
    start: int,
    size: int,
    *,
    stated: Sequence[int],
    sample_format: int,
    asked: int | None,
) -> Iterator[Spacing]:
    """Spacings of traces whose first header begins at a byte.

    Args:
        stream: the file.
        order: byte order.
        start: bytes before the first trace.
        size: bytes of the file.
        stated: sample counts that the headers state.
        sample_format: format code of the samples.
        asked: number of samples that the user gives.
    """
    stream.seek(start)
    header = stream.read(TRACE_HEADER)
    if len(header) < TRACE_HEADER or not any(header):
        return
    end = min(size, start + _REACH)
    places = headers_after(stream, order, header, start + TRACE_HEADER, end)
    for place in islice(places, _MOST_PLACES):
        trace = _Trace(stream, start, place - start, size, sample_format, order)
        if asked is not None:
            yield Spacing(TRACE_HEADER, asked, trace.pitch)
        else:
            yield _meaning(trace, [count for count in stated if count > 0])


@dataclass(frozen=True)
class _Trace:
    """Traces at a fixed distance.

    Attributes:
        stream: the file.
        start: bytes before the first one.
        pitch: bytes from one to the next.
        size: bytes of the file.
        sample_format: format code of the samples.
        order: byte order.
    """

    stream: BinaryIO
    start: int
    pitch: int
    size: int
    sample_format: int
    order: ByteOrder

    def some(self) -> NDArray[np.uint8]:
        """The bytes of traces spread over the file, `uint8 (traces, pitch)`."""
        count = (self.size - self.start) // self.pitch
        rows = []
        for trace in range(0, count, max(1, count // _COMPARED)):
            self.stream.seek(self.start + trace * self.pitch)
            rows.append(np.frombuffer(self.stream.read(self.pitch), np.uint8))
        return np.stack(rows)

    def like_samples(self, some: NDArray[np.uint8], part: slice, among: slice) -> bool:
        """Whether bytes of traces are samples of a size that others of these traces have."""
        step = sample_bytes(self.sample_format)
        sizes = []
        for columns in (part, among):
            width = (columns.stop - columns.start) // step * step
            raw = some[:, columns.start : columns.start + width]
            sizes.append(np.abs(decode_samples(raw, self.sample_format, self.order)))
        found, known = sizes
        if not (found.size and known.size):
            return False
        most = np.nanmax(known[np.isfinite(known)], initial=0.0)
        return bool(np.isfinite(found).all() and float(found.max()) <= _LARGER * float(most))


def _meaning(trace: _Trace, stated: Sequence[int]) -> Spacing:
    """What the bytes between two headers are."""
    step = sample_bytes(trace.sample_format)
    room = trace.pitch - TRACE_HEADER
    for count in stated:
        extra = room - count * step
        if extra >= 0:
            found = _beside(trace, count, extra, first=count == stated[0], stated=stated[0])
            if found:
                return found
    most = room // step
    said = " and ".join(f"{count:,}" for count in stated) or "none"
    return Spacing(
        TRACE_HEADER,
        most,
        trace.pitch,
        f"traces are {trace.pitch:,} bytes apart and so have {most:,} samples; the headers say "
        f"{said}; --samples changes it",
    )


def _beside(trace: _Trace, count: int, extra: int, *, first: bool, stated: int) -> Spacing | None:
    """What bytes are that are left beside a stated number of samples; None for further samples."""
    if not extra:
        told = f"traces have {count:,} samples; the binary header says {stated:,}; "
        return Spacing(
            TRACE_HEADER, count, trace.pitch, "" if first else f"{told}--samples changes it"
        )
    some = trace.some()
    before = slice(TRACE_HEADER, TRACE_HEADER + extra)
    after = slice(trace.pitch - extra, trace.pitch)
    middle = slice(before.stop, after.start)
    alike = bool((some[:, after] == some[0, after]).all())
    if not extra % TRACE_HEADER and not alike:
        block = some[:, before]
        blank = np.count_nonzero(block == 0) > block.size / 2
        same = bool((block == block[0]).all()) or is_text(block[0].tobytes())
        if blank or same or not trace.like_samples(some, before, slice(before.stop, trace.pitch)):
            return Spacing(
                before.stop,
                count,
                trace.pitch,
                f"each trace has headers of {before.stop} bytes in all, which the binary header "
                f"does not state; --trace-header-bytes {TRACE_HEADER} reads them as samples",
            )
    step = sample_bytes(trace.sample_format)
    known = slice(TRACE_HEADER, after.start) if middle.start >= middle.stop else middle
    if alike or extra % step or not trace.like_samples(some, after, known):
        most = (trace.pitch - TRACE_HEADER) // step
        more = f"; --samples {most} reads them" if most > count else ""
        return Spacing(
            TRACE_HEADER,
            count,
            trace.pitch,
            f"each trace is followed by {plural(extra, 'byte')} left out, as its headers state "
            f"{count:,} samples{more}",
        )
    return None
