"""The grid of a SEG-Y file, and the trace at each position, from the trace headers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.progress import Progress
from diapir.surveys.grid import Kind
from diapir.surveys.hints import Allowance, SurveyHints
from diapir.surveys.segy import line_numbers, refusals
from diapir.surveys.segy.coordinates import read_coordinates
from diapir.surveys.segy.gathers import GATHER_BYTES, OFFSET, signs_in_grid, signs_in_line
from diapir.surveys.segy.header_bytes import LINE_BYTES, PAIRS, SPARSEST, Axis, axis, score_pair
from diapir.surveys.segy.header_choice import (
    FOLD,
    HeaderChoice,
    all_different,
    choose,
    count_tuples,
)
from diapir.surveys.segy.header_floats import with_whole_floats
from diapir.surveys.segy.null_traces import CODE, is_dead, left_out_note, without_number
from diapir.surveys.segy.traces import Headers, TraceFile
from diapir.surveys.segy.unusual_bytes import SCANNED, numbered

_SCALAR, _DELAY, _TIME_SCALAR = 71, 109, 215
_UNIT = 89
_COMMON = (1, CODE, _SCALAR, _UNIT, _DELAY, _TIME_SCALAR, *GATHER_BYTES)
_COORDINATE_BYTES = (73, 77, 181, 185)
_SCORED = 300_000
"""Traces that candidate bytes are scored on; the rest are read at the chosen bytes only."""
_MOST_POSITIONS = 100
"""Grid positions per trace above which the grid is never allocated, allowed or not."""
_WARN_SPARSE = 2
_LINE_NUMBERS = {*sum(PAIRS[:-1], ()), *LINE_BYTES}
"""Fields that may hold line numbers, but no coordinates."""
_OF_GATHERS = {(9, 13): "record and channel", (21, 25): "ensemble and trace in it"}
"""Bytes that hold line numbers in some volumes, and what they hold in the standard."""


@dataclass(frozen=True)
class SegyGeometry:
    """The grid of a SEG-Y file and the trace at each of its positions.

    Attributes:
        kind: 2D or 3D.
        choice: header bytes that positions are read from.
        inline_axis: numbers along the inline axis; its `places` are dropped.
        crossline_axis: numbers along the crossline axis; its `places` are dropped.
        traces: `int64 (I, X)`, index of the trace in the file from 0; -1 where there is none.
        live: `bool (I, X)`, True where there is a trace that is not dead.
        easting: `float64 (I, X)`, scaled; NaN where unknown.
        northing: `float64 (I, X)`, scaled; NaN where unknown.
        scalar: coordinate scalar of the first trace.
        coordinate_code: the most common code of the unit of coordinates.
        start: time or depth of the first sample, in ms or m.
        dead: number of dead traces in the file.
        sorting: the number that changes slowest from trace to trace.
        notes: oddities of the file, for the user.
    """

    kind: Kind
    choice: HeaderChoice
    inline_axis: Axis
    crossline_axis: Axis
    traces: NDArray[np.int64]
    live: NDArray[np.bool_]
    easting: NDArray[np.float64]
    northing: NDArray[np.float64]
    scalar: int
    coordinate_code: int
    start: float
    dead: int
    sorting: Literal["inline", "crossline", "trace", "none"]
    notes: tuple[str, ...]


def find_geometry(
    file: TraceFile, hints: SurveyHints, progress: Progress | None = None
) -> SegyGeometry:
    """Read all trace headers and place the traces on a grid.

    Args:
        file: the open file, with at least one whole trace.
        hints: header bytes that are known, and checks that are switched off.
        progress: called with the trace headers read and the number there are.

    Raises:
        SurveyError: pre-stack gathers, repeated positions, line numbers that are ambiguous or
            absent, or a grid that is almost empty.
    """
    count = file.layout.traces
    hints = _completed(hints)
    _check_bytes(file, hints)
    given = (hints.inline_byte, hints.crossline_byte, hints.x_byte, hints.y_byte)
    wanted = {*_COMMON, *filter(None, given)}
    lines = _LINE_NUMBERS | set(filter(None, given[:2]))
    if None not in given:
        inline, crossline, easting, northing = (byte or 0 for byte in given)
        choice = HeaderChoice(inline, crossline, easting, northing)
        headers, notes = with_whole_floats(file.headers(wanted, progress=progress), lines)
        return _place(file, headers, choice, hints.allow, notes)
    candidates = {*wanted, *_COORDINATE_BYTES, *sum(PAIRS, ()), *LINE_BYTES}
    headers = file.headers(candidates, _SCORED, progress if count <= _SCORED else None)
    headers, notes = with_whole_floats(headers, lines)
    choice = choose(file, headers.only(numbered(headers)), hints)
    if count > _SCORED:
        chosen = {choice.inline, choice.crossline, choice.easting, choice.northing} - {0}
        headers, notes = with_whole_floats(
            file.headers(wanted | chosen, progress=progress), lines | chosen & set(SCANNED)
        )
    elif choice.inline and not {choice.inline, choice.crossline} <= headers.fields.keys():
        bytes_ = {choice.inline, choice.crossline}
        missing, floats = with_whole_floats(file.headers(bytes_), bytes_ & set(SCANNED))
        headers, notes = replace(headers, fields=missing.fields | headers.fields), notes + floats
    return _place(file, headers, choice, hints.allow, notes)


def _completed(hints: SurveyHints) -> SurveyHints:
    """The hints with what one byte implies for the other: a CDP byte alone means a 2D line."""
    inline, crossline = hints.inline_byte, hints.crossline_byte
    if inline is None and crossline is not None:
        inline = 0
    if inline == 0 and crossline is None:
        crossline = 0
    return replace(hints, inline_byte=inline, crossline_byte=crossline)


def _check_bytes(file: TraceFile, hints: SurveyHints) -> None:
    last = file.layout.header_bytes - 3
    for name in ("inline_byte", "crossline_byte", "x_byte", "y_byte"):
        byte: int | None = getattr(hints, name)
        if byte is not None and not 0 <= byte <= last:
            raise SurveyError(
                f"--{name.replace('_', '-')} {byte} is outside the trace header",
                expected=f"the first byte of a 32-bit number, 1 to {last}, or 0 for none",
                fix="count bytes from 1, as SEG-Y does",
            )
    if hints.inline_byte and not hints.crossline_byte:
        raise SurveyError(
            f"--inline-byte {hints.inline_byte} is given without --crossline-byte",
            expected="both bytes, for a 3D survey",
            fix="add --crossline-byte, or give --inline-byte 0 for a 2D line",
        )


def _place(
    file: TraceFile,
    headers: Headers,
    choice: HeaderChoice,
    allow: Collection[Allowance],
    notes: list[str],
) -> SegyGeometry:
    """Place every trace on the grid that has a number."""
    notes = [*notes, *choice.notes]
    coordinates, how = read_coordinates(headers, choice.easting, choice.northing)
    left_out = without_number(headers, choice.inline, choice.crossline)
    if left_out.any():
        notes.append(left_out_note(headers, left_out))
    index = np.flatnonzero(~left_out)
    headers, coordinates = headers.only(~left_out), coordinates[~left_out]
    if choice.inline:
        inlines, crosslines = _grid_axes(file, headers, choice, allow, notes)
    else:
        inlines = Axis(np.zeros(1, np.int64), np.zeros(len(index), np.int64), 0, 0)
        crosslines = _line_axis(file, headers, choice, notes)
        notes += _jump_note(coordinates)
    if "prestack" not in allow:
        _refuse_signs(file, headers, choice, coordinates)
    notes += how
    shape = len(inlines.numbers), len(crosslines.numbers)
    place = inlines.places, crosslines.places
    dead = is_dead(headers)
    scalar, code = int(headers[_SCALAR][0]), _most_common(headers[_UNIT])
    start = _start(headers, notes)
    sorting = _sorting(choice, inlines, crosslines)
    traces = np.full(shape, -1, np.int64)
    traces[place] = index
    live = np.zeros(shape, np.bool_)
    live[place] = ~dead
    easting, northing = np.full((2, *shape), np.nan)
    easting[place], northing[place] = coordinates.T
    return SegyGeometry(
        kind="3d" if choice.inline else "2d",
        choice=choice,
        inline_axis=replace(inlines, places=np.empty(0, np.int64)),
        crossline_axis=replace(crosslines, places=np.empty(0, np.int64)),
        traces=traces,
        live=live,
        easting=easting,
        northing=northing,
        scalar=scalar,
        coordinate_code=code,
        start=start,
        dead=int(dead.sum()),
        sorting=sorting,
        notes=tuple(notes),
    )


def _refuse_signs(
    file: TraceFile, headers: Headers, choice: HeaderChoice, coordinates: NDArray[np.float64]
) -> None:
    """Refuse traces that are numbered as those of gathers are.

    Raises:
        SurveyError: pre-stack gathers.
    """
    if choice.inline:
        why = signs_in_grid(
            headers, choice.inline, choice.crossline, coordinates if choice.easting else None
        )
        where = f"bytes {choice.inline} and {choice.crossline}"
    else:
        why = signs_in_line(headers)
        where = f"byte {choice.crossline}" if choice.crossline else ""
    if why:
        raise refusals.gathers(file.path, why=why, where=where)


def _jump_note(coordinates: NDArray[np.float64]) -> list[str]:
    """A note where a 2D line is not one line on the ground."""
    found = line_numbers.jump(coordinates)
    if found is None:
        return []
    trace, far = found
    return [
        f"the coordinates jump by {far:,.0f} before trace {trace:,}; if the file holds several "
        "lines, split it there"
    ]


def _grid_axes(
    file: TraceFile,
    headers: Headers,
    choice: HeaderChoice,
    allow: Collection[Allowance],
    notes: list[str],
) -> tuple[Axis, Axis]:
    """Both axes of a 3D survey.

    Raises:
        SurveyError: two traces share a position, or the grid is almost empty.
    """
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
    usual = _OF_GATHERS.get((choice.inline, choice.crossline))
    if usual and not choice.easting and "prestack" not in allow:
        notes.append(
            f"inline and crossline are at bytes {choice.inline} and {choice.crossline}, where "
            f"gathers have {usual}; nothing in the headers tells which these are"
        )
    inlines, crosslines = axis(inline), axis(crossline)
    positions = len(inlines.numbers) * len(crosslines.numbers)
    allowable = positions <= _MOST_POSITIONS * count
    if positions * SPARSEST > count and not (allowable and "sparse" in allow):
        raise refusals.sparse(file.path, positions=positions, traces=count, allowable=allowable)
    if positions >= _WARN_SPARSE * count:
        notes.append(f"the grid is sparse: {positions:,} positions for {count:,} traces")
    return inlines, crosslines


def _line_axis(file: TraceFile, headers: Headers, choice: HeaderChoice, notes: list[str]) -> Axis:
    """The axis of a 2D line: by CDP where it rises or falls throughout, else in file order."""
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
        if not line_numbers.may_stay(numbers):
            raise refusals.repeated_cdp(file.path, choice.crossline, count, positions)
        notes.append(line_numbers.repeated_note(choice.crossline, numbers))
        return Axis(numbers, order, 0, 0)
    change = np.diff(numbers)
    if (change > 0).all() or (change < 0).all():
        return axis(numbers)
    return Axis(numbers, order, 0, 0)


def _most_common(codes: NDArray[np.int64]) -> int:
    values, counts = np.unique(codes, return_counts=True)
    return int(values[counts.argmax()])


def _start(headers: Headers, notes: list[str]) -> float:
    """Time or depth of the first sample: the most common delay, scaled."""
    scalar = headers[_TIME_SCALAR]
    factor = np.where(scalar < 0, -1.0 / np.minimum(scalar, -1), np.maximum(scalar, 1))
    delays, counts = np.unique(headers[_DELAY] * factor, return_counts=True)
    if len(delays) > 1:
        notes.append(
            f"the delay recording time varies from {delays[0]:g} to {delays[-1]:g}; the most "
            "common value is used for all traces, which are not shifted"
        )
    return float(delays[counts.argmax()])


def _sorting(
    choice: HeaderChoice, inlines: Axis, crosslines: Axis
) -> Literal["inline", "crossline", "trace", "none"]:
    if not choice.inline:
        return "trace"
    by_inline = inlines.places * len(crosslines.numbers) + crosslines.places
    if (np.diff(by_inline) > 0).all():
        return "inline"
    by_crossline = crosslines.places * len(inlines.numbers) + inlines.places
    return "crossline" if (np.diff(by_crossline) > 0).all() else "none"
