"""Signs that traces are pre-stack: what they are numbered by is not a position each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.line_numbers import cycle
from diapir.surveys.segy.traces import Headers

OFFSET = 37
SOURCE, RECEIVER = (73, 77), (81, 85)
"""Bytes of the coordinates of source and receiver."""
GATHER_BYTES = (OFFSET, *SOURCE, *RECEIVER, 9, 17)
"""Header fields that tell gathers."""
_CHANNEL = 13
_RECORD_BYTES = frozenset({9, 13, 17})
"""Bytes of record, channel and source point in the standard."""
_RECORDS = (9, 17)
"""Bytes that number shot records: field record and source point."""
_SMALLEST = 3
"""Traces of a gather at least."""
_DISTINCT = 0.4
"""Share of the traces of a gather that have an offset of their own; split spreads have half."""
_MOST = 0.8
"""Share of traces in gathers with varying offsets, from which the file holds gathers."""
_FITS = 0.99
"""Share of the variance of coordinates that line numbers explain, where they number positions."""
_FLAT = 0.02
"""Ratio of the axes of a cloud of positions below which they lie on a line."""


def offsets(headers: Headers) -> NDArray[np.float64] | None:
    """The source-receiver offset of each trace; None where the headers do not tell it.

    A field that counts the traces of the whole file is no offset.
    """
    stated = headers[OFFSET].astype(np.float64)
    if len(np.unique(stated)) >= _SMALLEST and (np.diff(stated) != 1).any():
        return stated
    source, receiver = (
        np.stack([headers[byte] for byte in pair]).astype(np.float64) for pair in (SOURCE, RECEIVER)
    )
    if not (source.any() and receiver.any()):
        return None
    distance = np.hypot(*(source - receiver))
    return distance if len(np.unique(distance)) >= _SMALLEST else None


def signs_in_grid(
    headers: Headers, inline_byte: int, crossline_byte: int, coordinates: NDArray[np.float64] | None
) -> str:
    """Why traces on a grid are gathers; empty where nothing tells that they are.

    Args:
        headers: with `GATHER_BYTES` and these two fields.
        inline_byte: byte of the inline numbers.
        crossline_byte: byte of the crossline numbers.
        coordinates: easting and northing `float64 (traces, 2)`; None where unknown.
    """
    inline, crossline = headers[inline_byte], headers[crossline_byte]
    if coordinates is not None and _one_place_each(inline, crossline, coordinates):
        return ""
    offset = offsets(headers)
    if offset is not None and not np.array_equal(offset, crossline):
        records = {inline_byte, crossline_byte} & _RECORD_BYTES
        groups = crossline if inline_byte == _CHANNEL else inline
        if _varies_within(offset, groups, strict=not records):
            name = "crossline" if inline_byte == _CHANNEL else "inline"
            return f"the offset varies from trace to trace within each {name}"
    if coordinates is None:
        return ""
    steps = _steps(inline, crossline, coordinates), _steps(crossline, inline, coordinates)
    if min(steps) == 0 < max(steps):
        return "neighbouring traces lie at the same coordinates"
    return ""


def signs_in_line(headers: Headers) -> str:
    """Why traces of a 2D line are gathers; empty where nothing tells that they are.

    Args:
        headers: with `GATHER_BYTES`.
    """
    offset = offsets(headers)
    if offset is None:
        return ""
    for byte in _RECORDS:
        numbers = headers[byte]
        if len(np.unique(numbers)) > 1 and _varies_within(offset, numbers):
            return f"the offset varies from trace to trace within each record (byte {byte})"
    length = cycle(np.abs(offset))
    if length is not None:
        return f"the offset starts again every {length:,} traces"
    source, receiver = (np.stack([headers[byte] for byte in pair]) for pair in (SOURCE, RECEIVER))
    places = len(np.unique(source, axis=1).T)
    if (
        places >= _MOST * source.shape[1]
        and not (receiver != source)[:, receiver.any(axis=0)].any()
    ):
        return ""  # the places of CDPs, as stacks have them
    if len(offset) >= _SMALLEST and _is_spread(offset):
        return "the offset rises or falls from trace to trace, as in one gather"
    return ""


def _is_spread(offset: NDArray[np.float64]) -> bool:
    """Whether offsets are those of the channels of one record: they rise, fall, or turn once."""
    steps = np.diff(np.abs(offset))
    turns = np.count_nonzero(np.diff(np.sign(steps[steps != 0])))
    return bool(turns <= 1 and len(np.unique(offset)) >= _DISTINCT * len(offset))


def _varies_within(
    offset: NDArray[np.float64], numbers: NDArray[np.int64], *, strict: bool = False
) -> bool:
    """Whether most groups of the same number have many offsets, and the same as other groups.

    Args:
        offset: of each trace.
        numbers: group of each trace.
        strict: where the numbers are hardly those of records, offsets must rise or fall as along a
            spread.
    """
    order = np.argsort(numbers, kind="stable")
    ends = np.flatnonzero(np.diff(numbers[order])) + 1
    groups = [group for group in np.split(offset[order], ends) if len(group) >= _SMALLEST]
    traces = sum(map(len, groups))
    if len(groups) < 2 or traces < _MOST * len(offset):
        return False
    middle = np.median(np.abs(offset))
    varied = sum(
        len(group)
        for group in groups
        if len(np.unique(group)) >= max(_SMALLEST - 1, _DISTINCT * len(group))
        and np.abs(group).min() <= middle <= np.abs(group).max()
        and (not strict or _is_spread(group))
    )
    return varied >= _MOST * traces


def _one_place_each(
    inline: NDArray[np.int64], crossline: NDArray[np.int64], coordinates: NDArray[np.float64]
) -> bool:
    """Whether coordinates are those of a grid of positions, one for each trace."""
    known = np.isfinite(coordinates).all(axis=1)
    centred = coordinates[known]  # a copy, and the only one: there may be many millions
    if len(centred) < 4 or not _all_different(centred):
        return False
    centred -= centred.mean(axis=0)
    short, long = np.sqrt(np.maximum(np.linalg.eigvalsh(centred.T @ centred), 0))
    if short < _FLAT * long:
        return False
    numbers = np.stack([inline[known], crossline[known]], axis=1).astype(np.float64)
    numbers -= numbers.mean(axis=0)
    solution, *_ = np.linalg.lstsq(numbers.T @ numbers, numbers.T @ centred, rcond=None)
    spread = float(np.square(centred).sum())
    centred -= numbers @ solution
    left = float(np.square(centred, out=centred).sum())
    return left <= (1 - _FITS) * spread


def _all_different(places: NDArray[np.float64]) -> bool:
    """Whether no two places `(traces, 2)` are the same."""
    ordered = np.sort(np.ascontiguousarray(places).view(np.complex128)[:, 0])
    return not (ordered[1:] == ordered[:-1]).any()


def _steps(
    line: NDArray[np.int64], along: NDArray[np.int64], coordinates: NDArray[np.float64]
) -> float:
    """Median distance between neighbours of the same line; infinite where none is known."""
    order = np.lexsort((along, line))
    same = np.diff(line[order]) == 0
    steps = np.hypot(*np.diff(coordinates[order], axis=0).T)[same]
    known = steps[np.isfinite(steps)]
    return float(np.median(known)) if known.size else float("inf")
