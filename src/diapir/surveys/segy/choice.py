"""Which header bytes of a SEG-Y file give positions: the likeliest pair, a line, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy import refusals
from diapir.surveys.segy.coordinates import (
    SCALAR,
    coordinates_at,
    find_coordinates,
    looks_like_a_line,
)
from diapir.surveys.segy.header_bytes import (
    LINE_BYTES,
    PAIRS,
    SPARSEST,
    Pair,
    same_grid,
    score_pairs,
)
from diapir.surveys.segy.traces import Headers, TraceFile

OFFSET = 37
"""Byte of the distance from source to receiver, which varies within a gather."""
FOLD = 1.5
"""Traces at each position on average from which they are gathers, not repeated by mistake."""
_LONGEST_LINE = 50_000
"""Traces beyond which a file without numbers is no line in all likelihood."""
_LARGEST_NUMBER = 99_999
"""Number of a line beyond which it is a coordinate, where both are possible."""
_TIE = 0.05
"""Difference of scores below which two pairs are equally likely."""


@dataclass(frozen=True)
class Choice:
    """The header bytes that are read for positions, and why; 0 where there is none.

    Attributes:
        inline: 0 for a line.
        crossline: of a line its CDP; 0 for the order of traces.
        easting: 0 without coordinates.
        northing: 0 without coordinates.
        pairs: what was judged, the likeliest first; empty where the bytes were given.
    """

    inline: int
    crossline: int
    easting: int
    northing: int
    pairs: tuple[Pair, ...] = ()


def choose(
    file: TraceFile,
    sample: Headers,
    inline_byte: int | None,
    crossline_byte: int | None,
    x_byte: int | None,
    y_byte: int | None,
) -> Choice:
    """The bytes that hold positions, judged on a sample of traces."""
    easting, northing = find_coordinates(sample, x_byte, y_byte)
    if inline_byte is not None and crossline_byte is not None:
        if x_byte is None and easting in (inline_byte, crossline_byte):
            easting, northing = 0, 0
        return Choice(inline_byte, crossline_byte, easting, northing)
    coordinates = coordinates_at(sample, easting, northing) if easting else None
    pairs = [
        replace(pair, usable=pair.usable and not _is_coordinates(file, sample, pair))
        for pair in score_pairs(sample, coordinates)
    ]
    usable = [pair for pair in pairs if pair.usable]
    if usable:
        best = _best(file, sample, usable)
        if easting in (best.inline_byte, best.crossline_byte):
            easting, northing = 0, 0
        return Choice(best.inline_byte, best.crossline_byte, easting, northing, tuple(pairs))
    cdp = next((byte for byte in LINE_BYTES if all_different(sample[byte])), 0)
    if cdp != LINE_BYTES[0]:
        _refuse_gathers(file, sample, pairs)
    on_a_line = looks_like_a_line(coordinates) if coordinates is not None else None
    if on_a_line is False:
        why = "the coordinates of the traces are not those of one line"
        raise refusals.no_numbers(file.path, pairs, why)
    if on_a_line is None and file.layout.traces > _LONGEST_LINE:
        why = f"{file.layout.traces:,} traces are too many for a line"
        raise refusals.no_numbers(file.path, pairs, why)
    return Choice(0, cdp, easting, northing, tuple(pairs))


def _best(file: TraceFile, sample: Headers, usable: list[Pair]) -> Pair:
    """The likeliest pair, where no other is as likely and means another grid."""
    for pair in usable:
        standard = (pair.inline_byte, pair.crossline_byte) == PAIRS[0]
        if standard and file.layout.revision[0] and pair.filled >= 0.5:
            return pair
    best, *others = usable
    near = [pair for pair in others if best.score - pair.score < _TIE]
    if any(not same_grid(sample, best, pair) for pair in near):
        raise refusals.ambiguous(file.path, usable)
    return best


def _is_coordinates(file: TraceFile, sample: Headers, pair: Pair) -> bool:
    """Whether numbers at the standard's bytes of coordinates are what the standard says."""
    if (pair.inline_byte, pair.crossline_byte) != PAIRS[-1]:
        return False
    numbers = np.abs([sample[byte] for byte in PAIRS[-1]])
    scaled = (np.abs(sample[SCALAR]) > 1).any()
    return file.layout.revision[0] > 0 or bool(scaled) or int(numbers.max()) > _LARGEST_NUMBER


def _refuse_gathers(file: TraceFile, sample: Headers, pairs: list[Pair]) -> None:
    """Refuse files with several traces at a position."""
    count = len(sample.empty)
    offsets = count_tuples(sample[OFFSET])
    for pair_bytes in PAIRS:
        varied = [byte for byte in pair_bytes if count_tuples(sample[byte]) > 1]
        if not varied:
            continue
        numbers = [sample[byte] for byte in varied]
        positions = count_tuples(*numbers)
        if count < FOLD * positions:
            continue
        gathers = 2 <= offsets <= count / 2 and count_tuples(*numbers, sample[OFFSET]) == count
        if gathers or (pair_bytes == PAIRS[0] and len(varied) == 2):
            where = f"byte{'s' * (len(varied) > 1)} {' and '.join(map(str, varied))}"
            raise refusals.prestack(file.path, traces=count, positions=positions, where=where)
    for pair in pairs:
        standard = (pair.inline_byte, pair.crossline_byte) == PAIRS[0]
        if standard and pair.shared and pair.filled >= SPARSEST and pair.inlines > 1:
            raise refusals.duplicates(file.path, pair, count)


def count_tuples(*numbers: NDArray[np.int64]) -> int:
    """How many different numbers, or tuples of numbers, there are."""
    if len(numbers) == 1:
        return len(np.unique(numbers[0]))
    return len(np.unique(np.stack(numbers), axis=1).T)


def all_different(numbers: NDArray[np.int64]) -> bool:
    """Whether no number occurs twice; not of one number, which tells nothing."""
    return len(numbers) > 1 and count_tuples(numbers) == len(numbers)
