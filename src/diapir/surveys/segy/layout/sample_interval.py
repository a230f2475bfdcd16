"""The sample interval of a SEG-Y file, where its headers disagree or state another unit."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import replace
from typing import BinaryIO

from diapir.surveys.segy.layout.binary_header import BinaryHeader
from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.segy.layout.trace_marks import TRACE_HEADER

_COMPARED = 64
"""Trace headers whose intervals are read."""
_WHOLE_MS = 16
"""Number up to which an interval is read as ms or m: no survey is sampled every few µs."""
_LEAST = 0.1
"""Interval in ms or m below which a note says that it is unusual."""


def settle_interval(
    stream: BinaryIO, layout: SegyLayout, header: BinaryHeader, given: float | None
) -> SegyLayout:
    """The layout with its sample interval.

    Args:
        stream: the file.
        layout: where traces are.
        header: the binary header.
        given: the interval that the user gives, in ms or m; the layout has it without a check.
    """
    if given is not None:
        return replace(layout, interval=given)
    in_traces = _most_common(stream, layout)
    stated, others = header.interval_us, in_traces
    if not stated:
        stated, others = others, 0
    interval = _in_ms(stated)
    notes = []
    if interval != stated / 1000:
        notes.append(
            f"the headers state an interval of {stated:g} µs (or mm), read as {interval:g} ms "
            f"or m; --interval {stated / 1000:g} reads it as stated"
        )
    elif 0 < interval < _LEAST:
        notes.append(
            f"an interval of {interval:g} ms or m is unusual; if the headers state it in ms or m, "
            f"--interval {stated:g}"
        )
    if others and _in_ms(others) != interval and round(stated) % 2**16 != others:
        notes.append(
            f"the binary header states an interval of {interval:g} ms or m, which is used; the "
            f"trace headers state {_in_ms(others):g}: --interval {_in_ms(others):g} if that is "
            "right"
        )
    return replace(layout, interval=interval, notes=(*layout.notes, *notes))


def _in_ms(stated: float) -> float:
    """The interval in ms or m; a number that is too small for µs is one of ms already."""
    return stated if 0 < stated <= _WHOLE_MS and stated == int(stated) else stated / 1000


def _most_common(stream: BinaryIO, layout: SegyLayout) -> int:
    """The interval that most trace headers state, in µs; 0 where they state none."""
    found: Counter[int] = Counter()
    step = max(1, layout.traces // _COMPARED)
    for trace in range(0, max(1, layout.traces), step):
        stream.seek(layout.data_start + trace * layout.trace_bytes)
        header = stream.read(TRACE_HEADER)
        if len(header) == TRACE_HEADER:
            found[int(struct.unpack_from(layout.order + "H", header, 116)[0])] += 1
    del found[0]
    return found.most_common(1)[0][0] if found else 0
