"""Choose the header bytes of a SEG-Y file that give positions, or refuse the file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.hints import SurveyHints
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
    BytePair,
    same_grid,
    score_pairs,
)
from diapir.surveys.segy.traces import Headers, TraceFile

OFFSET = 37
"""Byte of the source-receiver offset, which varies within a gather."""
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
    """

    inline: int
    crossline: int
    easting: int
    northing: int
    pairs: tuple[BytePair, ...] = ()

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
    usable = [pair for pair in pairs if pair.usable]
    if usable:
        best = _best(file, sample, usable)
        chosen = HeaderChoice(
            best.inline_byte, best.crossline_byte, easting, northing, tuple(pairs)
        )
        return chosen.without_shared_coordinates()
    return _choose_line(file, sample, pairs, coordinates, (easting, northing))


def _choose_line(
    file: TraceFile,
    sample: Headers,
    pairs: list[BytePair],
    coordinates: NDArray[np.float64] | None,
    coordinate_bytes: tuple[int, int],
) -> HeaderChoice:
    """The bytes of a 2D line, where no pair can be inline and crossline."""
    cdp = next((byte for byte in LINE_BYTES if all_different(sample[byte])), 0)
    if cdp != LINE_BYTES[0]:
        _refuse_gathers(file, sample, pairs)
    on_a_line = looks_like_a_line(coordinates) if coordinates is not None else None
    if on_a_line is False:
        why = "the coordinates do not follow one line"
        raise refusals.no_numbers(file.path, pairs, why)
    if on_a_line is None and file.layout.traces > _LONGEST_LINE:
        why = f"{file.layout.traces:,} traces are too many for a 2D line"
        raise refusals.no_numbers(file.path, pairs, why)
    return HeaderChoice(0, cdp, *coordinate_bytes, tuple(pairs))


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


def _refuse_gathers(file: TraceFile, sample: Headers, pairs: list[BytePair]) -> None:
    """Refuse gathers and repeated positions.

    Raises:
        SurveyError: several traces share a position.
    """
    count = len(sample.empty)
    offsets = count_tuples(sample[OFFSET])
    for pair_bytes in PAIRS:
        varying = [byte for byte in pair_bytes if count_tuples(sample[byte]) > 1]
        if not varying:
            continue
        numbers = [sample[byte] for byte in varying]
        positions = count_tuples(*numbers)
        if count < FOLD * positions:
            continue
        gathers = 2 <= offsets <= count / 2 and count_tuples(*numbers, sample[OFFSET]) == count
        if gathers or (pair_bytes == PAIRS[0] and len(varying) == 2):
            where = f"byte{'s' * (len(varying) > 1)} {' and '.join(map(str, varying))}"
            raise refusals.prestack(file.path, traces=count, positions=positions, where=where)
    for pair in pairs:
        standard = (pair.inline_byte, pair.crossline_byte) == PAIRS[0]
        if standard and pair.shared and pair.filled >= SPARSEST and pair.inlines > 1:
            raise refusals.duplicates(file.path, pair, count)


def count_tuples(*numbers: NDArray[np.int64]) -> int:
    """Number of distinct values, or of distinct tuples of values."""
    if len(numbers) == 1:
        return len(np.unique(numbers[0]))
    return len(np.unique(np.stack(numbers), axis=1).T)


def all_different(numbers: NDArray[np.int64]) -> bool:
    """Whether no number occurs twice; False for a single number, which tells nothing."""
    return len(numbers) > 1 and count_tuples(numbers) == len(numbers)
