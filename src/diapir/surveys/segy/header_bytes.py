"""Score pairs of header bytes as inline and crossline, by the numbers found there.

Text headers are often wrong, and the standard defines no bytes before revision 1. So each pair of
bytes in common use is scored on its numbers: whether two traces share a position, how much of the
grid they fill, whether lines are evenly spaced, and whether coordinates fit them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.traces import Headers

PAIRS = ((189, 193), (9, 21), (9, 13), (5, 21), (17, 21), (21, 25), (181, 185))
"""Bytes of inline and crossline in common use: the standard of revision 1, then older custom."""
LINE_BYTES = (21, 193, 189)
"""Bytes that number the traces of a 2D line: CDP first."""
SPARSEST = 0.1
"""Share of grid positions with a trace below which the numbers are hardly line numbers."""
_SHARED = 1.5
"""Mean traces per line number below which the numbers count traces, not lines."""
_STEP_CHECK = 2
"""Length of an axis, in multiples of the numbers that occur, up to which absent lines are kept."""


@dataclass(frozen=True)
class BytePair:
    """Two header bytes that may hold inline and crossline.

    Attributes:
        inline_byte: first byte of the inline number.
        crossline_byte: first byte of the crossline number.
        inlines: number of different inline numbers.
        crosslines: number of different crossline numbers.
        shared: traces that share their position with another trace.
        filled: share of grid positions that have a trace.
        regular: share of line steps that equal the most common step, mean of both axes.
        fit: share of the variance of coordinates that the numbers explain; NaN without coordinates.
        usable: whether the numbers can be inline and crossline at all.
        score: 0 to 1; higher is likelier.
    """

    inline_byte: int
    crossline_byte: int
    inlines: int
    crosslines: int
    shared: int
    filled: float
    regular: float
    fit: float
    usable: bool
    score: float

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `fit` is null where unknown."""
        content = {key: getattr(self, key) for key in self.__dataclass_fields__}
        return content | {"fit": None if np.isnan(self.fit) else self.fit}


@dataclass(frozen=True)
class Axis:
    """The line numbers along one axis of a grid.

    Attributes:
        numbers: `int64 (n,)`, rising or falling as in the file.
        places: `int64 (traces,)`, index into `numbers` of each trace.
        step: step between neighbours; 0 with one number or no common step.
        absent: numbers without any trace.
    """

    numbers: NDArray[np.int64]
    places: NDArray[np.int64]
    step: int
    absent: int


def score_pairs(headers: Headers, coordinates: NDArray[np.float64] | None) -> list[BytePair]:
    """Score every pair of `PAIRS`.

    Args:
        headers: with the fields of all pairs.
        coordinates: easting and northing `float64 (traces, 2)`; None where unknown.

    Returns:
        The pairs, best score first; ties in the order of `PAIRS`.
    """
    pairs = [score_pair(headers[i], headers[x], i, x, coordinates) for i, x in PAIRS]
    return sorted(pairs, key=lambda pair: -pair.score)


def score_pair(
    inline: NDArray[np.int64],
    crossline: NDArray[np.int64],
    inline_byte: int,
    crossline_byte: int,
    coordinates: NDArray[np.float64] | None,
) -> BytePair:
    """Score the numbers at two bytes as inline and crossline.

    Args:
        inline: inline number of each trace, `int64 (traces,)`.
        crossline: crossline number of each trace, `int64 (traces,)`.
        inline_byte: first byte of `inline`.
        crossline_byte: first byte of `crossline`.
        coordinates: easting and northing `float64 (traces, 2)`; None where unknown.
    """
    rows, row = np.unique(inline, return_inverse=True)
    columns, column = np.unique(crossline, return_inverse=True)
    count, positions = len(inline), len(np.unique(row * len(columns) + column))
    filled = positions / (len(_lattice(rows)[0]) * len(_lattice(columns)[0]))
    regular = (_regularity(rows) + _regularity(columns)) / 2
    fit = float("nan")
    if coordinates is not None and (inline_byte, crossline_byte) != (181, 185):
        fit = _explained(inline, crossline, coordinates)
    grid = min(len(rows), len(columns)) > 1
    usable = positions == count and filled >= SPARSEST
    if grid:
        usable &= count >= _SHARED * max(len(rows), len(columns))
    else:  # one slice of a survey: only the standard bytes are trusted
        named = inline[0] != 0 if len(rows) == 1 else crossline[0] != 0
        usable &= (inline_byte, crossline_byte) == PAIRS[0] and bool(named) and count > 1
    worth = 0.5 * filled + 0.25 * regular + 0.25 * (0.5 if np.isnan(fit) else fit)
    return BytePair(
        inline_byte=inline_byte,
        crossline_byte=crossline_byte,
        inlines=len(rows),
        crosslines=len(columns),
        shared=count - positions,
        filled=filled,
        regular=regular,
        fit=fit,
        usable=usable,
        score=round(worth * (positions / count) * (1.0 if usable else 0.1), 3),
    )


def same_grid(headers: Headers, one: BytePair, other: BytePair) -> bool:
    """Whether two pairs give every trace the same position, up to the numbering of lines."""
    return all(
        np.array_equal(_codes(headers[first]), _codes(headers[second]))
        for first, second in (
            (one.inline_byte, other.inline_byte),
            (one.crossline_byte, other.crossline_byte),
        )
    )


def axis(numbers: NDArray[np.int64]) -> Axis:
    """The axis of traces with these line numbers.

    Where lines are evenly spaced, absent ones are kept as gaps, so that neighbours in the grid are
    neighbours on the ground.

    Args:
        numbers: line number of each trace, `int64 (traces,)`.
    """
    present = np.unique(numbers)
    full, step = _lattice(present)
    places = np.searchsorted(full, numbers)
    if _falls(numbers):
        full, places = full[::-1].copy(), len(full) - 1 - places
    return Axis(full, places, step, len(full) - len(present))


def _lattice(present: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Evenly spaced numbers that include all of `present` (sorted), and their step.

    `present` itself and 0 where they would be many more than occur.
    """
    if len(present) == 1:
        return present, 0
    steps = np.diff(present)
    common = int(np.gcd.reduce(steps))
    if (present[-1] - present[0]) // common + 1 <= _STEP_CHECK * len(present):
        return np.arange(present[0], present[-1] + 1, common, dtype=np.int64), common
    return present, 0


def _regularity(present: NDArray[np.int64]) -> float:
    """Share of steps between neighbouring numbers (sorted) that equal the most common step."""
    if len(present) < 3:
        return 1.0
    _, counts = np.unique(np.diff(present), return_counts=True)
    return float(counts.max() / counts.sum())


def _falls(numbers: NDArray[np.int64]) -> bool:
    """Whether numbers fall more often than they rise from trace to trace."""
    change = np.diff(numbers)
    rising, falling = np.count_nonzero(change > 0), np.count_nonzero(change < 0)
    return bool(falling > rising or (falling == rising and change.sum() < 0))


def _explained(
    inline: NDArray[np.int64], crossline: NDArray[np.int64], coordinates: NDArray[np.float64]
) -> float:
    """Share of the variance of coordinates explained by an affine map of the numbers, 0 to 1."""
    known = np.isfinite(coordinates).all(axis=1)
    if known.sum() < 4:
        return float("nan")
    numbers = np.stack([inline[known], crossline[known]], axis=1).astype(np.float64)
    numbers -= numbers.mean(axis=0)
    target = coordinates[known] - coordinates[known].mean(axis=0)
    spread = float((target**2).sum())
    if not spread:
        return float("nan")
    solution, *_ = np.linalg.lstsq(numbers, target, rcond=None)
    return max(0.0, 1.0 - float(((target - numbers @ solution) ** 2).sum()) / spread)


def _codes(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(numbers, return_inverse=True)[1]


def table(pairs: Sequence[BytePair]) -> list[str]:
    """Lines of a table of the byte pairs and their scores."""
    lines = ["inline  crossline  lines        duplicates  filled  even  fits X/Y  score"]
    for pair in pairs:
        fit = "-" if np.isnan(pair.fit) else f"{pair.fit:.0%}"
        lines.append(
            f"{pair.inline_byte:>6}  {pair.crossline_byte:>9}  "
            f"{f'{pair.inlines} × {pair.crosslines}':<11}  {pair.shared:>10}  {pair.filled:>6.0%}  "
            f"{pair.regular:>4.0%}  {fit:>8}  {pair.score:>5.2f}"
        )
    return lines
