"""Bodies chosen and merged by the numbers that `bodies.csv` gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diapir.errors import ConfigError
from diapir.surveys.products.bodies import Bodies, count_traces, merge_parts
from diapir.surveys.products.interval_file import IntervalFile
from diapir.text import listing, plural


def choose_bodies(
    intervals: IntervalFile,
    bodies: Bodies,
    crosslines: int,
    *,
    keep: Sequence[int] = (),
    merge: Sequence[Sequence[int]] = (),
) -> Bodies:
    """Merge bodies, then keep some; numbers stay, and a merged body has its smallest one.

    Args:
        intervals: labelled intervals; `body` is overwritten, 0 for bodies that are removed.
        bodies: all bodies.
        crosslines: crosslines of the grid.
        keep: numbers to keep, of any member of a merged body; all if empty.
        merge: groups of numbers that become one body each.

    Returns:
        The bodies that are left, in the order of their numbers.

    Raises:
        ConfigError: a number that no body has.
    """
    if not keep and not merge:
        return bodies
    if not len(bodies):
        wanted = [*keep, *(number for group in merge for number in group)]
        _refuse_unknown(wanted, 0)
    names = _merged_names(len(bodies), merge)
    _refuse_unknown(keep, len(bodies))
    kept = sorted({int(names[number]) for number in keep} or set(names[1:].tolist()))
    names[~np.isin(names, kept)] = 0
    inside = names[1:] > 0
    group = np.searchsorted(kept, names[1:][inside])
    table = merge_parts(bodies.table[inside], group)
    places = np.zeros(len(names), np.int64)
    places[1:][inside] = group + 1
    for place, (_, found) in enumerate(intervals):
        rows = found.copy()
        rows["body"] = places[found["body"]]
        count_traces(table, rows, crosslines)
        found["body"] = names[found["body"]]
        intervals.replace(place, found)
    return Bodies(
        table, bodies.left_out, bodies.left_out_cells, tuple(kept), _notes(bodies, inside, merge)
    )


def _merged_names(count: int, merge: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Number of each body after merging, by its number before; entry 0 is 0."""
    names = np.arange(count + 1)
    for group in merge:
        _refuse_unknown(group, count)
        members = np.isin(names, names[list(group)])
        names[members] = names[members].min()
    return names


def _notes(
    bodies: Bodies, inside: NDArray[np.bool_], merge: Sequence[Sequence[int]]
) -> tuple[str, ...]:
    notes = [f"Bodies {' + '.join(map(str, group))} are merged." for group in merge]
    if not inside.all():
        removed = int((~inside).sum())
        cells = int(bodies.table["cells"][~inside].sum())
        notes.append(
            f"{plural(removed, 'body')} of {plural(cells, 'sample')} left out by choice (--bodies)."
        )
    return tuple(notes)


def _refuse_unknown(numbers: Sequence[int], count: int) -> None:
    unknown = [number for number in numbers if not 1 <= number <= count]
    if unknown:
        raise ConfigError(
            f"there is no body {listing(unknown)}",
            expected=f"numbers from 1 to {count}, as in bodies.csv of the same options"
            if count
            else "a survey with bodies; this one has none",
            fix="run diapir products without --bodies and --merge, and look at bodies.csv",
        )
