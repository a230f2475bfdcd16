"""Where each trace of a SEG-Y file lies on a grid, from the numbers in the trace headers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.grid import Kind
from diapir.surveys.segy import refusals
from diapir.surveys.segy.choice import (
    FOLD,
    OFFSET,
    Choice,
    all_different,
    choose,
    count_tuples,
)
from diapir.surveys.segy.coordinates import coordinates_at
from diapir.surveys.segy.header_bytes import LINE_BYTES, PAIRS, SPARSEST, Axis, axis, score_pair
from diapir.surveys.segy.traces import Headers, TraceFile
from diapir.surveys.survey import Allowance

DEAD = 2
"""Trace identification code of a dead trace."""
_ID, _SCALAR, _DELAY, _TIME_SCALAR = 29, 71, 109, 215
_COMMON = (_ID, OFFSET, _SCALAR, _DELAY, _TIME_SCALAR)
_COORDINATE_BYTES = (73, 77, 181, 185)
_JUDGED = 300_000
"""Traces on which bytes are judged; those behind them are only read at the bytes chosen."""
_MOST_CELLS = 100
"""Positions of a grid for each trace beyond which nothing is allocated for it, allowed or not."""
_WARN_SPARSE = 2


@dataclass(frozen=True)
class Geometry:
    """The grid of a SEG-Y file and the trace at each of its positions.

    Attributes:
        kind: 2D or 3D.
        choice: header bytes that were read.
        inline_axis: places along the inlines.
        crossline_axis: places along the crosslines.
        traces: `int64 (I, X)`, place in the file from 0; -1 where there is no trace.
        live: `bool (I, X)`: there and not dead.
        easting: `float64 (I, X)`, scaled; NaN where unknown.
        northing: `float64 (I, X)`, likewise.
        scalar: the coordinate scalar of the first trace.
        start: of the first sample, in ms or m.
        dead: traces that are there and dead.
        sorting: which number changes slowest from trace to trace.
        notes: what is odd, for the user.
    """

    kind: Kind
    choice: Choice
    inline_axis: Axis
    crossline_axis: Axis
    traces: NDArray[np.int64]
    live: NDArray[np.bool_]
    easting: NDArray[np.float64]
    northing: NDArray[np.float64]
    scalar: int
    start: float
    dead: int
    sorting: Literal["inline", "crossline", "trace", "none"]
    notes: tuple[str, ...]


def find_geometry(
    file: TraceFile,
    *,
    inline_byte: int | None = None,
    crossline_byte: int | None = None,
    x_byte: int | None = None,
    y_byte: int | None = None,
    allow: Collection[Allowance] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Geometry:
    """Read all trace headers and place the traces.

    Args:
        file: the open file, with at least one whole trace.
        inline_byte: where the inline number begins, if that is known; 0 for a line.
        crossline_byte: likewise for crossline or CDP; 0 for the order of traces.
        x_byte: likewise for the easting; 0 for none.
        y_byte: likewise for the northing; 0 for none.
        allow: refusals that do not apply.
        progress: called with traces done and all.

    Raises:
        SurveyError: pre-stack gathers, repeated positions, numbers that are ambiguous or absent, or
            hardly any trace for the size of the grid.
    """
    count = file.layout.traces
    if inline_byte is None and crossline_byte is not None:
        inline_byte = 0  # a CDP byte alone is that of a line
    if inline_byte == 0 and crossline_byte is None:
        crossline_byte = 0
    _check_bytes(file, inline_byte, crossline_byte, x_byte, y_byte)
    wanted = {*_COMMON, *filter(None, (inline_byte, crossline_byte, x_byte, y_byte))}
    if None not in (inline_byte, crossline_byte, x_byte, y_byte):
        choice = Choice(inline_byte or 0, crossline_byte or 0, x_byte or 0, y_byte or 0)
        return _place(file, file.headers(wanted, progress=progress), choice, allow)
    judged = {*wanted, *_COORDINATE_BYTES, *sum(PAIRS, ()), *LINE_BYTES}
    headers = file.headers(judged, _JUDGED, progress if count <= _JUDGED else None)
    choice = choose(file, headers, inline_byte, crossline_byte, x_byte, y_byte)
    if count > _JUDGED:
        chosen = {choice.inline, choice.crossline, choice.easting, choice.northing} - {0}
        headers = file.headers(wanted | chosen, progress=progress)
    return _place(file, headers, choice, allow)


def _check_bytes(
    file: TraceFile,
    inline_byte: int | None,
    crossline_byte: int | None,
    x_byte: int | None,
    y_byte: int | None,
) -> None:
    last = file.layout.header_bytes - 3
    named = {"inline": inline_byte, "crossline": crossline_byte, "x": x_byte, "y": y_byte}
    for name, byte in named.items():
        if byte is not None and not 0 <= byte <= last:
            raise SurveyError(
                f"--{name}-byte {byte} is not within the trace header",
                expected=f"the byte where a 32-bit number begins, 1 to {last}, or 0 for none",
                fix="count bytes from 1, as SEG-Y does",
            )
    if inline_byte and not crossline_byte:
        raise SurveyError(
            f"--inline-byte {inline_byte} stands without --crossline-byte",
            expected="both, for a 3D survey",
            fix="give --crossline-byte as well, or --inline-byte 0 for a line",
        )


def _place(
    file: TraceFile, headers: Headers, choice: Choice, allow: Collection[Allowance]
) -> Geometry:
    """Put every trace on the grid."""
    count = len(headers.empty)
    notes: list[str] = []
    if choice.inline:
        inlines, crosslines = _grid_axes(file, headers, choice, allow, notes)
    else:
        inlines = Axis(np.zeros(1, np.int64), np.zeros(count, np.int64), 0, 0)
        crosslines = _line_axis(file, headers, choice)
    shape = len(inlines.numbers), len(crosslines.numbers)
    place = inlines.places, crosslines.places
    traces = np.full(shape, -1, np.int64)
    traces[place] = np.arange(count)
    dead = headers.empty | (headers[_ID] == DEAD)
    live = np.zeros(shape, np.bool_)
    live[place] = ~dead
    coordinates = coordinates_at(headers, choice.easting, choice.northing)
    easting, northing = np.full((2, *shape), np.nan)
    easting[place], northing[place] = coordinates.T
    return Geometry(
        kind="3d" if choice.inline else "2d",
        choice=choice,
        inline_axis=replace(inlines, places=np.empty(0, np.int64)),
        crossline_axis=replace(crosslines, places=np.empty(0, np.int64)),
        traces=traces,
        live=live,
        easting=easting,
        northing=northing,
        scalar=int(headers[_SCALAR][0]),
        start=_start(headers, notes),
        dead=int(dead.sum()),
        sorting=_sorting(choice, inlines, crosslines),
        notes=tuple(notes),
    )


def _grid_axes(
    file: TraceFile,
    headers: Headers,
    choice: Choice,
    allow: Collection[Allowance],
    notes: list[str],
) -> tuple[Axis, Axis]:
    """Both axes of a 3D survey, whose numbers must give each trace a place of its own."""
    inline, crossline = headers[choice.inline], headers[choice.crossline]
    count = len(inline)
    pair = score_pair(inline, crossline, choice.inline, choice.crossline, None)
    if pair.inlines == pair.crosslines == 1 and count > 1:
        raise refusals.unusable_bytes(file.path, pair, "all traces have the same numbers")
    if pair.shared:
        positions = count - pair.shared
        if count >= FOLD * positions:
            where = f"bytes {choice.inline} and {choice.crossline}"
            raise refusals.prestack(file.path, traces=count, positions=positions, where=where)
        raise refusals.duplicates(file.path, pair, count)
    inlines, crosslines = axis(inline), axis(crossline)
    cells = len(inlines.numbers) * len(crosslines.numbers)
    allowable = cells <= _MOST_CELLS * count
    if cells * SPARSEST > count and not (allowable and "sparse" in allow):
        raise refusals.sparse(file.path, cells=cells, traces=count, allowable=allowable)
    if cells >= _WARN_SPARSE * count:
        notes.append(f"the grid is sparse: {cells:,} positions for {count:,} traces")
    return inlines, crosslines


def _line_axis(file: TraceFile, headers: Headers, choice: Choice) -> Axis:
    """The traces of a line by their CDP where it rises or falls, else in the order of the file."""
    count = len(headers.empty)
    order = np.arange(count)
    if not choice.crossline:
        return Axis(order + 1, order, 1, 0)
    numbers = headers[choice.crossline]
    if not all_different(numbers) and count > 1:
        positions = count_tuples(numbers)
        if positions > 1 and count_tuples(numbers, headers[OFFSET]) == count:
            where = f"byte {choice.crossline}"
            raise refusals.prestack(file.path, traces=count, positions=positions, where=where)
        raise refusals.repeated_cdp(file.path, choice.crossline, count, positions)
    change = np.diff(numbers)
    if (change > 0).all() or (change < 0).all():
        return axis(numbers)
    return Axis(numbers, order, 0, 0)


def _start(headers: Headers, notes: list[str]) -> float:
    """Time or depth of the first sample: the delay that most traces have, scaled."""
    scalar = headers[_TIME_SCALAR]
    factor = np.where(scalar < 0, -1.0 / np.minimum(scalar, -1), np.maximum(scalar, 1))
    delays, counts = np.unique(headers[_DELAY] * factor, return_counts=True)
    if len(delays) > 1:
        notes.append(
            f"the delay of the first sample varies from {delays[0]:g} to {delays[-1]:g}; traces "
            "are taken as they are, and the commonest delay counts for all"
        )
    return float(delays[counts.argmax()])


def _sorting(
    choice: Choice, inlines: Axis, crosslines: Axis
) -> Literal["inline", "crossline", "trace", "none"]:
    if not choice.inline:
        return "trace"
    by_inline = inlines.places * len(crosslines.numbers) + crosslines.places
    if (np.diff(by_inline) > 0).all():
        return "inline"
    by_crossline = crosslines.places * len(inlines.numbers) + inlines.places
    return "crossline" if (np.diff(by_crossline) > 0).all() else "none"
