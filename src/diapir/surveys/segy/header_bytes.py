"""Which header bytes hold inline and crossline, judged by the numbers found there.

Text headers are hints that are often wrong, and the standard says nothing before revision 1. So
each pair of bytes that is known to be used is scored on what its numbers do: whether two traces
share a position, how much of the grid they fill, whether lines are evenly spaced, and whether
coordinates go with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.traces import Headers

PAIRS = ((189, 193), (9, 21), (9, 13), (5, 21), (17, 21), (21, 25), (181, 185))
"""Bytes of inline and crossline in use: the standard of revision 1 first, then older habits."""
LINE_BYTES = (21, 193, 189)
"""Bytes that number the traces of a line: CDP first."""
SPARSEST = 0.1
"""Least share of the grid that is filled; below it the numbers are hardly lines of a grid."""
_SHARED = 1.5
"""Traces that a line number stands for on average, at least: numbers of single traces are none."""
_STEP_CHECK = 2
"""Longest an axis may be, in numbers that occur, for lines that are absent to get a place."""


@dataclass(frozen=True)
class Pair:
    """Two header bytes that may hold inline and crossline.

    Attributes:
        inline_byte: where the inline number would begin.
        crossline_byte: where the crossline number would begin.
        inlines: how many different numbers are there.
        crosslines: likewise.
        shared: traces whose position another trace has as well.
        filled: share of the grid that has a trace.
        regular: share of steps between lines that are the common one, mean of both axes.
        fit: share of the spread of coordinates that the numbers explain; NaN without coordinates.
        usable: whether they can be inline and crossline at all.
        score: 0…1, the higher the likelier.
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
        """Plain numbers; null where the fit is unknown."""
        content = {key: getattr(self, key) for key in self.__dataclass_fields__}
        return content | {"fit": None if np.isnan(self.fit) else self.fit}


@dataclass(frozen=True)
class Axis:
    """The places of one axis of a grid.

    Attributes:
        numbers: `int64 (n,)`, of each place, in the order of the file.
        places: `int64 (traces,)`, the place of each trace.
        step: between neighbours, 0 where there is one place or no common step.
        absent: places without any trace.
    """

    numbers: NDArray[np.int64]
    places: NDArray[np.int64]
    step: int
    absent: int


def score_pairs(headers: Headers, coordinates: NDArray[np.float64] | None) -> list[Pair]:
    """Every pair of `PAIRS`, the likeliest first; of equals the earlier in `PAIRS`.

    Args:
        headers: with the fields of all pairs.
        coordinates: easting and northing `float64 (traces, 2)`, if they are known.
    """
    pairs = [score_pair(headers[i], headers[x], i, x, coordinates) for i, x in PAIRS]
    return sorted(pairs, key=lambda pair: -pair.score)


def score_pair(
    inline: NDArray[np.int64],
    crossline: NDArray[np.int64],
    inline_byte: int,
    crossline_byte: int,
    coordinates: NDArray[np.float64] | None,
) -> Pair:
    """Judge the numbers at two bytes as inline and crossline.

    Args:
        inline: number of each trace, `int64 (traces,)`.
        crossline: likewise.
        inline_byte: where `inline` was read.
        crossline_byte: where `crossline` was read.
        coordinates: easting and northing `float64 (traces, 2)`, if they are known.
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
    else:  # one slice of a survey: only the standard bytes are taken at their word
        named = inline[0] != 0 if len(rows) == 1 else crossline[0] != 0
        usable &= (inline_byte, crossline_byte) == PAIRS[0] and bool(named) and count > 1
    worth = 0.5 * filled + 0.25 * regular + 0.25 * (0.5 if np.isnan(fit) else fit)
    return Pair(
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


def same_grid(headers: Headers, one: Pair, other: Pair) -> bool:
    """Whether two pairs put every trace in the same place and differ in names of lines at most."""
    return all(
        np.array_equal(_codes(headers[first]), _codes(headers[second]))
        for first, second in (
            (one.inline_byte, other.inline_byte),
            (one.crossline_byte, other.crossline_byte),
        )
    )


def axis(numbers: NDArray[np.int64]) -> Axis:
    """The axis on which traces with these numbers lie.

    Lines that are absent get a place where the others are evenly spaced, so that neighbours in the
    grid are neighbours in the ground.

    Args:
        numbers: of each trace, `int64 (traces,)`.
    """
    present = np.unique(numbers)
    full, step = _lattice(present)
    places = np.searchsorted(full, numbers)
    if _falls(numbers):
        full, places = full[::-1].copy(), len(full) - 1 - places
    return Axis(full, places, step, len(full) - len(present))


def _lattice(present: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Evenly spaced numbers that hold all of `present` (sorted), and their step.

    Where they would be many more than occur, `present` itself and 0.
    """
    if len(present) == 1:
        return present, 0
    steps = np.diff(present)
    common = int(np.gcd.reduce(steps))
    if (present[-1] - present[0]) // common + 1 <= _STEP_CHECK * len(present):
        return np.arange(present[0], present[-1] + 1, common, dtype=np.int64), common
    return present, 0


def _regularity(present: NDArray[np.int64]) -> float:
    """Share of the steps between neighbouring numbers (sorted) that are the most common one."""
    if len(present) < 3:
        return 1.0
    _, counts = np.unique(np.diff(present), return_counts=True)
    return float(counts.max() / counts.sum())


def _falls(numbers: NDArray[np.int64]) -> bool:
    """Whether numbers fall more often than they rise, the returns to a next line left out."""
    change = np.diff(numbers)
    rising, falling = np.count_nonzero(change > 0), np.count_nonzero(change < 0)
    return bool(falling > rising or (falling == rising and change.sum() < 0))


def _explained(
    inline: NDArray[np.int64], crossline: NDArray[np.int64], coordinates: NDArray[np.float64]
) -> float:
    """Share of the variance of coordinates that is affine in inline and crossline, 0…1."""
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


def table(pairs: Sequence[Pair]) -> list[str]:
    """Lines that show what was found at each pair of bytes."""
    lines = ["inline  crossline  lines        same place  filled  even  fits X/Y  score"]
    for pair in pairs:
        fit = "-" if np.isnan(pair.fit) else f"{pair.fit:.0%}"
        lines.append(
            f"{pair.inline_byte:>6}  {pair.crossline_byte:>9}  "
            f"{f'{pair.inlines} × {pair.crosslines}':<11}  {pair.shared:>10}  {pair.filled:>6.0%}  "
            f"{pair.regular:>4.0%}  {fit:>8}  {pair.score:>5.2f}"
        )
    return lines
