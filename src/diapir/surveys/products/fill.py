"""Filling the interior of salt.

Labels often outline the edge of salt and leave its interior empty, and so do networks trained on
them. Filling joins the intervals of a trace. The interpreter decides; by default nothing is filled.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from diapir.connected import Integers
from diapir.surveys.products.intervals import INTERVAL, Intervals

Fill = Literal["none", "body", "trace"]
"""How salt is filled: not at all; between top and base of each body in a trace; or between the
first top and the last base of a trace, across bodies."""

FILLS: tuple[Fill, ...] = get_args(Fill)


def fill_intervals(intervals: Intervals, how: Fill) -> Intervals:
    """Join intervals of each trace.

    Samples between joined intervals become salt, but `cells` still counts those that were predicted
    as salt.

    Args:
        intervals: labelled intervals of some traces, ordered by inline, crossline and start.
        how: `body` joins intervals of the same body and any others between them; `trace` joins all
            intervals of a trace.

    Returns:
        The intervals after filling, in the same order, with `body` 0.
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
    """Join intervals that overlap or touch after filling: one body may lie inside another."""
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
    """Join each group to one interval; groups are contiguous and ordered by `start`."""
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
