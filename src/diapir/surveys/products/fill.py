"""Filling salt whose interior the network left empty.

Many labels mark the edge of salt and leave out what lies within, and a network learns that. Filling
joins the intervals of a trace; it is a choice of the interpreter, never made unasked.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from diapir.connected import Integers
from diapir.surveys.products.intervals import INTERVAL, Intervals

Fill = Literal["none", "body", "trace"]
"""How salt is filled: not at all; in each trace between the top and base of one body; or in each
trace between its first top and its last base, whatever body they belong to."""

FILLS: tuple[Fill, ...] = get_args(Fill)


def fill_intervals(intervals: Intervals, how: Fill) -> Intervals:
    """Join intervals of each trace.

    What lies between two intervals that are joined counts as salt, but not among the `cells` that the
    network called salt.

    Args:
        intervals: of some traces, with their bodies, in the order of inline, crossline and start.
        how: `body` joins the intervals of the same body, and takes in what lies between them; `trace`
            joins all intervals of a trace.

    Returns:
        the intervals after filling, without bodies, in the same order.
    """
    if how == "none" or not len(intervals):
        return intervals
    trace = (
        intervals["inline"].astype(np.int64) * (int(intervals["crossline"].max()) + 1)
        + intervals["crossline"]
    )
    if how == "trace":
        filled = _joined(intervals, trace)
    else:
        order = np.lexsort((intervals["start"], intervals["body"], trace))
        body = trace[order] * (int(intervals["body"].max()) + 1) + intervals["body"][order]
        filled = _join_overlapping(_joined(intervals[order], body))
    filled["body"] = 0
    return filled


def _join_overlapping(intervals: Intervals) -> Intervals:
    """Join what overlaps or touches once bodies are filled: one body may lie within another."""
    intervals = intervals[
        np.lexsort((intervals["start"], intervals["crossline"], intervals["inline"]))
    ]
    trace = (
        intervals["inline"].astype(np.int64) * (int(intervals["crossline"].max()) + 1)
        + intervals["crossline"]
    )
    deep = int(intervals["stop"].max()) + 2
    reach = np.maximum.accumulate(trace * deep + intervals["stop"])
    apart = np.ones(len(intervals), np.bool_)
    apart[1:] = (trace * deep + intervals["start"])[1:] > reach[:-1]
    return _joined(intervals, np.cumsum(apart))


def _joined(intervals: Intervals, group: Integers) -> Intervals:
    """One interval of each group; groups stand together, their intervals in the order of `start`."""
    first = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    whole = np.zeros(len(first), INTERVAL)
    for name in ("inline", "crossline", "start", "top", "body"):
        whole[name] = intervals[name][first]
    whole["stop"] = np.maximum.reduceat(intervals["stop"], first)
    for name in ("cells", "weight"):
        whole[name] = np.add.reduceat(intervals[name], first)
    deepest = np.lexsort((intervals["stop"], group))
    last = np.append(first[1:], len(intervals)) - 1
    whole["base"] = intervals["base"][deepest[last]]
    return whole
