"""Inline and crossline at bytes that are not in common use: all fields of the trace header."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.gathers import GATHER_BYTES, OFFSET
from diapir.surveys.segy.header_bytes import BytePair, same_grid, score_pair
from diapir.surveys.segy.header_floats import with_whole_floats
from diapir.surveys.segy.layout.trace_marks import TRACE_HEADER
from diapir.surveys.segy.line_numbers import cycle
from diapir.surveys.segy.traces import Headers, TraceFile

_SCANNED_TRACES = 20_000
"""Traces that are read for the scan."""
_COORDINATES = ((181, 185), (73, 77))
_OTHERS = frozenset({29, 33, OFFSET, 69, 73, 77, 81, 85, 113, 117, 153, 157, 161, 165, 181, 185})
"""Fields of codes, scalars, the time of recording, offset and coordinates."""
SCANNED = tuple(byte for byte in range(1, TRACE_HEADER, 4) if byte not in _OTHERS)
"""Fields that may hold line numbers."""
_LEAST_LINES = 3
"""Lines of a volume that is recognised by numbers at any bytes."""
_FILLED, _EVEN = 0.9, 0.9
"""Share of positions with a trace, and of even steps, that numbers at any bytes must have."""
_NUMBERS = (9, 13, 17, 21, 25, 189, 193)
"""Fields in common use for positions."""
_COUNTERS = (1, 5, 13, 17, 21, 25, 193, 189)
"""Fields that number traces, by the likelihood that they do so within a line."""


@dataclass(frozen=True)
class Found:
    """Pairs of fields that number the traces of a full and even grid.

    Attributes:
        pairs: best score first; of pairs that give the same grid only the first in the header.
        headers: of the traces that were looked at.
        coordinates: of these traces, `float64 (traces, 2)`; None where unknown.
    """

    pairs: list[BytePair]
    headers: Headers
    coordinates: NDArray[np.float64] | None


def scan(
    file: TraceFile,
    coordinates: NDArray[np.float64] | None,
    *,
    among: Literal["numbers", "coordinates"] = "numbers",
) -> Found:
    """Look for inline and crossline in all fields of the trace header.

    Args:
        file: the open file.
        coordinates: easting and northing of its first traces, those without any number left out;
            None where unknown.
        among: the fields that may hold them; coordinates along the axes number the lines as well.
    """
    headers = file.headers({*SCANNED, *sum(_COORDINATES, ()), *GATHER_BYTES}, _SCANNED_TRACES)
    headers, _ = with_whole_floats(headers, set(SCANNED))
    headers = headers.only(numbered(headers))
    if coordinates is not None:
        coordinates = coordinates[: len(headers.empty)]
    candidates = combinations(SCANNED, 2) if among == "numbers" else _COORDINATES
    found = _grids(headers, coordinates, candidates)
    return Found(sorted(found, key=lambda pair: -pair.score), headers, coordinates)


def _grids(
    headers: Headers,
    coordinates: NDArray[np.float64] | None,
    candidates: Iterable[tuple[int, int]],
) -> list[BytePair]:
    """The candidates that number a full and even grid, each grid once."""
    lengths = {byte: len(np.unique(values)) for byte, values in headers.fields.items()}
    total = len(headers.empty)
    found: list[BytePair] = []
    for inline, crossline in candidates:
        rows, columns = lengths[inline], lengths[crossline]
        if min(rows, columns) < _LEAST_LINES or not total <= rows * columns <= total / _FILLED:
            continue
        pair = score_pair(headers[inline], headers[crossline], inline, crossline, coordinates)
        good = pair.filled >= _FILLED and pair.regular >= _EVEN and not pair.shared
        turned = replace(pair, inline_byte=crossline, crossline_byte=inline)
        known = any(same_grid(headers, one, two) for one in found for two in (pair, turned))
        if good and not known:
            found.append(replace(pair, usable=True))
    return found


def numbered(headers: Headers) -> NDArray[np.bool_]:
    """Mask of traces, `bool (n,)`: all with samples, and dead ones with all numbers of the others.

    Numbers are the fields in common use that no trace with samples has a 0 in.
    """
    live = ~headers.empty
    filled = [
        headers.fields[byte] != 0
        for byte in _NUMBERS
        if byte in headers.fields and (headers.fields[byte][live] != 0).all()
    ]
    if not (filled and live.any()):
        return np.ones(len(live), np.bool_)
    return np.asarray(live | np.all(filled, axis=0), np.bool_)


def restarts(headers: Headers) -> tuple[int, int] | None:
    """A number that starts again after the same number of traces throughout the file.

    Args:
        headers: with `_COUNTERS`, as far as they were read.

    Returns:
        Its first byte, and the number of traces; None where no number does.
    """
    for byte in _COUNTERS:
        length = cycle(headers[byte]) if byte in headers.fields else None
        if length is not None:
            return byte, length
    return None
