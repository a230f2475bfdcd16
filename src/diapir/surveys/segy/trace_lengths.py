"""The numbers of samples that the traces of a SEG-Y file have: one, unless they vary in length."""

from __future__ import annotations

import struct
from pathlib import Path

from diapir.surveys.segy.sample_formats import sample_bytes
from diapir.surveys.segy.segy_layout import SegyLayout

_MOST_HOPS = 200_000
"""Traces followed at most to find whether their lengths differ."""
_FIRST_TRACES = 64
"""Trace headers whose lengths are compared in a file that seems in order."""


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
