"""Choose the header bytes of a SEG-Y file that give positions, or refuse the file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.hints import SurveyHints
from diapir.surveys.segy import line_numbers, refusals
from diapir.surveys.segy.coordinates import (
    SCALAR,
    coordinates_at,
    find_coordinates,
    looks_like_a_line,
)
from diapir.surveys.segy.gathers import OFFSET, signs_in_grid
from diapir.surveys.segy.header_bytes import (
    LINE_BYTES,
    PAIRS,
    SPARSEST,
    BytePair,
    same_grid,
    score_pairs,
)
from diapir.surveys.segy.traces import Headers, TraceFile
from diapir.surveys.segy.unusual_bytes import restarts, scan

FOLD = 1.5
"""Mean traces per position above which the file holds gathers, not accidental duplicates."""
_LONGEST_LINE = 50_000
"""Traces above which a file without line numbers is hardly a 2D line."""
_LARGEST_NUMBER = 99_999
"""Number above which a value is read as a coordinate, where it may also be a line number."""
_TIE = 0.05
"""Difference of scores below which two pairs count as equally likely."""


@dataclass(frozen=True)
class HeaderChoice:
    """The header bytes that positions are read from, and the candidates; 0 where there are none.

    Attributes:
        inline: byte of the inline number; 0 for a 2D line.
        crossline: byte of the crossline number, or of a line's CDP; 0 for file order.
        easting: byte of the easting; 0 without coordinates.
        northing: byte of the northing; 0 without coordinates.
        pairs: the candidates, best score first; empty where the bytes were given.
        notes: what the choice rests on, where it is a guess.
    """

    inline: int
    crossline: int
    easting: int
    northing: int
    pairs: tuple[BytePair, ...] = ()
    notes: tuple[str, ...] = ()

    def without_shared_coordinates(self) -> HeaderChoice:
        """The choice without coordinates where their bytes hold the line numbers."""
        if self.easting in (self.inline, self.crossline):
            return replace(self, easting=0, northing=0)
        return self


def choose(file: TraceFile, sample: Headers, hints: SurveyHints) -> HeaderChoice:
    """Choose the header bytes that hold positions.

    Args:
        file: the open file.
        sample: headers of some traces, with the fields of all candidates.
        hints: bytes that are known.

    Raises:
        SurveyError: pre-stack gathers, repeated positions, or bytes that are ambiguous or absent.
    """
    easting, northing = find_coordinates(sample, hints.x_byte, hints.y_byte)
    if hints.inline_byte is not None and hints.crossline_byte is not None:
        chosen = HeaderChoice(hints.inline_byte, hints.crossline_byte, easting, northing)
        return chosen.without_shared_coordinates() if hints.x_byte is None else chosen
    coordinates = coordinates_at(sample, easting, northing) if easting else None
    pairs = [
        replace(pair, usable=pair.usable and not _is_coordinates(file, sample, pair))
        for pair in score_pairs(sample, coordinates)
    ]
    allowed = "prestack" in hints.allow
    usable = _stacked(file, sample, [one for one in pairs if one.usable], coordinates, allowed)
    if usable:
        best = _best(file, sample, usable)
        chosen = HeaderChoice(
            best.inline_byte, best.crossline_byte, easting, northing, tuple(pairs)
        )
        return chosen.without_shared_coordinates()
    return _choose_line(file, sample, pairs, coordinates, (easting, northing), allowed)


def _stacked(
    file: TraceFile,
    sample: Headers,
    pairs: list[BytePair],
    coordinates: NDArray[np.float64] | None,
    allowed: bool,
) -> list[BytePair]:
    """The pairs that do not number the traces of gathers.

    Raises:
        SurveyError: all of them do.
    """
    if allowed:
        return pairs
    signs = {
        pair: signs_in_grid(sample, pair.inline_byte, pair.crossline_byte, coordinates)
        for pair in pairs
    }
    stacked = [pair for pair, why in signs.items() if not why]
    if pairs and not stacked:
        where = f"bytes {pairs[0].inline_byte} and {pairs[0].crossline_byte}"
        raise refusals.gathers(file.path, why=signs[pairs[0]], where=where)
    return stacked


def _choose_line(
    file: TraceFile,
    sample: Headers,
    pairs: list[BytePair],
    coordinates: NDArray[np.float64] | None,
    coordinate_bytes: tuple[int, int],
    allowed: bool,
) -> HeaderChoice:
    """The bytes of a 2D line, where no pair in common use can be inline and crossline.

    Raises:
        SurveyError: gathers, a volume without numbers, or several lines or stacks.
    """
    cdp = next((byte for byte in LINE_BYTES if all_different(sample[byte])), 0)
    if cdp != LINE_BYTES[0]:
        _refuse_gathers(file, sample)
    on_a_line = looks_like_a_line(coordinates) if coordinates is not None else None
    if not on_a_line:
        chosen = _unusual(file, pairs, coordinates, coordinate_bytes, allowed)
        if chosen is not None:
            return chosen
    if cdp != LINE_BYTES[0]:
        _refuse_shared(file, sample, pairs)
    if on_a_line is False:
        chosen = _unusual(file, pairs, coordinates, coordinate_bytes, allowed, among="coordinates")
        if chosen is not None:
            return chosen
    if on_a_line is False:
        why = "the coordinates do not follow one line"
        raise refusals.no_numbers(file.path, pairs, why)
    if on_a_line is None and file.layout.traces > _LONGEST_LINE:
        why = f"{file.layout.traces:,} traces are too many for a 2D line"
        raise refusals.no_numbers(file.path, pairs, why)
    if not cdp:
        cdp, notes = _numbers_of_a_line(file, sample, pairs, allowed)
        return HeaderChoice(0, cdp, *coordinate_bytes, tuple(pairs), notes)
    return HeaderChoice(0, cdp, *coordinate_bytes, tuple(pairs))


def _numbers_of_a_line(
    file: TraceFile, sample: Headers, pairs: list[BytePair], allowed: bool
) -> tuple[int, tuple[str, ...]]:
    """The byte of numbers that all traces but a few have to themselves, or 0 and a note.

    Raises:
        SurveyError: numbers that start again and again, or that neighbours share.
    """
    count, cdp = len(sample.empty), LINE_BYTES[0]
    positions = count_tuples(sample[cdp])
    alike = np.count_nonzero(np.diff(sample[cdp]) == 0)
    if positions > 1 and alike >= count / 2 and count >= FOLD * positions and not allowed:
        where = f"byte {cdp}"
        raise refusals.prestack(file.path, traces=count, positions=positions, where=where)
    for byte in LINE_BYTES:
        again = line_numbers.beginnings(sample[byte])
        if again:
            raise refusals.several_lines(file.path, byte, again)
        if line_numbers.may_stay(sample[byte]):
            return byte, ()
    cycle = restarts(sample)
    if cycle:
        why = f"the numbers at byte {cycle[0]} start again every {cycle[1]:,} traces"
        raise refusals.no_numbers(file.path, pairs, why)
    varied = [byte for byte in LINE_BYTES if count_tuples(sample[byte]) > 1]
    reason = f"numbers at byte {varied[0]} repeat" if varied else "no trace has a number"
    note = f"{reason}: read as a 2D line with traces numbered in file order"
    return 0, (f"{note}; for a volume, give --inline-byte N --crossline-byte M",)


def _unusual(
    file: TraceFile,
    pairs: list[BytePair],
    coordinates: NDArray[np.float64] | None,
    coordinate_bytes: tuple[int, int],
    allowed: bool,
    among: Literal["numbers", "coordinates"] = "numbers",
) -> HeaderChoice | None:
    """The choice of numbers at bytes that are not in common use; None where there are none.

    Raises:
        SurveyError: several pairs of bytes give different grids, or number gathers.
    """
    found = scan(file, coordinates, among=among)
    stacked = _stacked(file, found.headers, found.pairs, found.coordinates, allowed)
    if len(stacked) > 1:
        raise refusals.ambiguous(file.path, stacked)
    if not stacked:
        return None
    inline, crossline = stacked[0].inline_byte, stacked[0].crossline_byte
    note = (
        f"inline and crossline were found at bytes {inline} and {crossline}, which are not in "
        "common use; --inline-byte and --crossline-byte change it"
    )
    return HeaderChoice(inline, crossline, *coordinate_bytes, (*stacked, *pairs), (note,))


def _best(file: TraceFile, sample: Headers, usable: list[BytePair]) -> BytePair:
    """The pair with the best score.

    Raises:
        SurveyError: another pair scores as high and gives another grid.
    """
    for pair in usable:
        standard = (pair.inline_byte, pair.crossline_byte) == PAIRS[0]
        if standard and file.layout.revision[0] and pair.filled >= 0.5:
            return pair
    best, *others = usable
    near = [pair for pair in others if best.score - pair.score < _TIE]
    if any(not same_grid(sample, best, pair) for pair in near):
        raise refusals.ambiguous(file.path, usable)
    return best


def _is_coordinates(file: TraceFile, sample: Headers, pair: BytePair) -> bool:
    """Whether bytes 181 and 185 hold coordinates, as in the standard, and not line numbers."""
    if (pair.inline_byte, pair.crossline_byte) != PAIRS[-1]:
        return False
    numbers = np.abs([sample[byte] for byte in PAIRS[-1]])
    scaled = (np.abs(sample[SCALAR]) > 1).any()
    return file.layout.revision[0] > 0 or bool(scaled) or int(numbers.max()) > _LARGEST_NUMBER


def _refuse_gathers(file: TraceFile, sample: Headers) -> None:
    """Refuse traces that share their numbers, but not their offsets.

    Raises:
        SurveyError: pre-stack gathers.
    """
    count = len(sample.empty)
    offsets = count_tuples(sample[OFFSET])
    for pair_bytes in PAIRS:
        varying = [byte for byte in pair_bytes if count_tuples(sample[byte]) > 1]
        if not varying:
            continue
        numbers = [sample[byte] for byte in varying]
        positions = count_tuples(*numbers)
        if count < FOLD * positions or not 2 <= offsets <= count / 2:
            continue
        if count_tuples(*numbers, sample[OFFSET]) == count:
            where = f"byte{'s' * (len(varying) > 1)} {' and '.join(map(str, varying))}"
            raise refusals.prestack(file.path, traces=count, positions=positions, where=where)


def _refuse_shared(file: TraceFile, sample: Headers, pairs: list[BytePair]) -> None:
    """Refuse traces that share their positions at the bytes of the standard.

    Raises:
        SurveyError: gathers without offsets, or repeated positions.
    """
    count = len(sample.empty)
    standard = next(pair for pair in pairs if (pair.inline_byte, pair.crossline_byte) == PAIRS[0])
    positions = count - standard.shared
    several = min(standard.inlines, standard.crosslines) > 1
    if several and count >= FOLD * positions:
        where = f"bytes {PAIRS[0][0]} and {PAIRS[0][1]}"
        raise refusals.prestack(file.path, traces=count, positions=positions, where=where)
    if standard.shared and standard.filled >= SPARSEST and several:
        raise refusals.duplicates(file.path, standard, count)


def count_tuples(*numbers: NDArray[np.int64]) -> int:
    """Number of distinct values, or of distinct tuples of values."""
    if len(numbers) == 1:
        return len(np.unique(numbers[0]))
    return len(np.unique(np.stack(numbers), axis=1).T)


def all_different(numbers: NDArray[np.int64]) -> bool:
    """Whether no number occurs twice; False for a single number, which tells nothing."""
    return len(numbers) > 1 and count_tuples(numbers) == len(numbers)
