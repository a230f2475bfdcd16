"""Where the traces of a SEG-Y file end: with the file, before trailing bytes, or at stray ones.

And whether they vary in length.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.segy.layout.trace_marks import (
    TRACE_HEADER,
    Agreement,
    HeaderPlaces,
    headers_after,
    is_blank,
)
from diapir.surveys.segy.sample_formats import is_text, sample_bytes
from diapir.text import plural

_REACH = 4 * 2**20
"""Bytes after a misplaced trace within which the next trace header is searched for."""
_BACK = 16
"""Traces before a misplaced one of which one must have a header that is not blank."""
_NAMED = 5
"""Traces with odd headers that a note names."""
_SAMPLES = 114
"""Bytes of a trace header before the number of samples."""
_LONGEST_TAIL = 2**20
"""Bytes without a trace header after the last trace, above which traces are damaged instead."""

_MOST_HOPS = 200_000
"""Traces followed at most to find whether their lengths differ."""
_FIRST_TRACES = 64
"""Trace headers whose lengths are compared in a file that seems in order."""


def settle_end(stream: BinaryIO, layout: SegyLayout, agreement: Agreement, size: int) -> SegyLayout:
    """The layout with the traces that are where they should be.

    Args:
        stream: the file.
        layout: from its headers.
        agreement: of its trace headers.
        size: bytes of the file.

    Returns:
        The layout; with a `fault` where trace headers are elsewhere, and a note where bytes after
        the last trace are left out.
    """
    if not agreement.known:
        return _after_the_first(stream, layout)
    if agreement.broken_at is not None:
        return _broken(stream, layout, agreement.broken_at, size)
    if agreement.odd:
        traces = ", ".join(f"{trace + 1:,}" for trace in agreement.odd[:_NAMED])
        note = f"headers unlike those of the other traces: {traces}; their positions may be wrong"
        layout = replace(layout, notes=(*layout.notes, note))
    if not layout.leftover:
        return layout
    end = layout.data_start + layout.traces * layout.trace_bytes
    stream.seek(end)
    tail = stream.read(layout.leftover)
    if _begins_a_trace(stream, layout, agreement, tail):
        return layout
    found = _next_header(stream, layout, layout.traces)
    if found is not None:
        return _misplaced(layout, layout.traces, found, size)
    if len(tail) >= TRACE_HEADER or len(set(tail)) == 1 or is_text(tail):
        return _without_tail(layout, layout.traces, layout.leftover)
    fault = f"{plural(layout.leftover, 'byte')} follow the last trace and are not part of one"
    return replace(layout, fault=fault)


def _after_the_first(stream: BinaryIO, layout: SegyLayout) -> SegyLayout:
    """The layout of a file whose second trace header is not like its first."""
    found = _next_header(stream, layout, 1)
    expected = layout.data_start + layout.trace_bytes
    if found is None or found == expected:
        return layout
    rest = HeaderPlaces(
        stream, layout.order, found, layout.trace_bytes, max(0, layout.traces - 2)
    ).agreement()
    if not rest.whole:
        return layout
    size = layout.data_start + layout.traces * layout.trace_bytes + layout.leftover
    return _misplaced(layout, 1, found, size)


def _broken(stream: BinaryIO, layout: SegyLayout, trace: int, size: int) -> SegyLayout:
    """The layout of a file whose trace headers are as expected up to a trace only."""
    expected = layout.data_start + trace * layout.trace_bytes
    found = _next_header(stream, layout, trace)
    if found is not None:
        if (found - expected) % layout.trace_bytes:
            return _misplaced(layout, trace, found, size)
        return layout  # damaged headers between others
    rest = HeaderPlaces(stream, layout.order, expected, layout.trace_bytes, layout.traces - trace)
    marks = rest.agreement()
    counted = marks.marks.counting or marks.marks.shared.get(_SAMPLES) == struct.pack(
        layout.order + "H", layout.samples % 2**16
    )
    if marks.whole and counted and not is_text(rest.header(0)):
        return layout  # another program's traces, in their place
    left = size - expected
    if left <= _LONGEST_TAIL and left < expected:
        return _without_tail(layout, trace, left)
    fault = f"there is no trace header where trace {trace + 1:,} should begin, nor after it"
    return replace(layout, traces=trace, leftover=left, fault=fault)


def _misplaced(layout: SegyLayout, trace: int, found: int, size: int) -> SegyLayout:
    """The layout of a file in which the header of a trace is not where it should be."""
    expected = layout.data_start + trace * layout.trace_bytes
    count = abs(found - expected)
    verb = "are" if count > 1 else "is"
    what = f"{plural(count, 'byte')} {verb} {'too many' if found > expected else 'missing'}"
    fault = (
        f"{what} between the headers of traces {trace:,} and {trace + 1:,}: the second begins at "
        f"byte {found + 1:,}, not {expected + 1:,}"
    )
    good = max(0, trace - 1)  # stray bytes may lie among the samples of the trace before
    left = size - layout.data_start - good * layout.trace_bytes
    return replace(layout, traces=good, leftover=left, fault=fault)


def _next_header(stream: BinaryIO, layout: SegyLayout, trace: int) -> int | None:
    """Where the header of a trace begins that is not where it should; None if there is none."""
    for before in range(trace - 1, max(-1, trace - 1 - _BACK), -1):
        place = layout.data_start + before * layout.trace_bytes
        stream.seek(place)
        header = stream.read(TRACE_HEADER)
        if not is_blank(header):
            end = place + (trace - before) * layout.trace_bytes + _REACH
            first = headers_after(stream, layout.order, header, place + TRACE_HEADER, end)
            return next(first, None)
    return None


def _without_tail(layout: SegyLayout, traces: int, left: int) -> SegyLayout:
    note = f"{left:,} bytes after the last trace are left out: they hold no trace header"
    return replace(layout, traces=traces, leftover=0, notes=(*layout.notes, note))


def _begins_a_trace(
    stream: BinaryIO, layout: SegyLayout, agreement: Agreement, tail: bytes
) -> bool:
    """Whether bytes after the last whole trace may be the beginning of another one."""
    places = HeaderPlaces(
        stream, layout.order, layout.data_start, layout.trace_bytes, layout.traces
    )
    first = max(-1, layout.traces - 1 - _BACK)
    filled = [at for at in range(layout.traces - 1, first, -1) if not is_blank(places.header(at))]
    if not filled:
        return True
    before, steps = places.header(filled[0]), layout.traces - filled[0]
    header = tail[:TRACE_HEADER]
    if len(header) == TRACE_HEADER:
        return agreement.marks.fits(header, before, layout.order)
    for offset in agreement.marks.counting:
        number = struct.unpack_from(layout.order + "i", before, offset)[0] + steps
        expected = struct.pack(layout.order + "i", min(number, 2**31 - 1))
        if len(header) > offset:
            part = header[offset : offset + 4]
            return part == expected[: len(part)]
    known = {at: two for at, two in agreement.marks.shared.items() if at + 2 <= len(header)}
    return not known or any(header[at : at + 2] == two for at, two in known.items())


def trace_lengths(path: Path, layout: SegyLayout) -> set[int]:
    """The numbers of samples that traces have; one number where all agree.

    Trace headers are wrong more often than traces vary in length. They are trusted only where
    following their lengths through the file, or far into it, meets whole traces all the way.
    """
    padded = layout.sample_columns.stop < layout.trace_bytes
    if padded or (not layout.leftover and not _claims_vary(path, layout)):
        return {layout.samples}
    sample_size = sample_bytes(layout.sample_format)
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
