"""Filling salt whose interior the network left empty.

Many labels mark the edge of salt and leave out what lies within, and a network learns that. Filling
joins the runs of a trace; it is a choice of the interpreter, never made unasked.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from diapir.connected import Integers
from diapir.surveys.products.intervals import RUN, Runs

Fill = Literal["none", "body", "trace"]
"""How salt is filled: not at all; in each trace between the top and base of one body; or in each
trace between its first top and its last base, whatever body they belong to."""

FILLS: tuple[Fill, ...] = get_args(Fill)


def fill_runs(runs: Runs, how: Fill) -> Runs:
    """Join runs of each trace.

    What lies between two runs that are joined counts as salt, but not among the `cells` that the
    network called salt.

    Args:
        runs: of some traces, with their bodies, in the order of inline, crossline and start.
        how: `body` joins the runs of the same body, and takes in what lies between them; `trace`
            joins all runs of a trace.

    Returns:
        the runs after filling, without bodies, in the same order.
    """
    if how == "none" or not len(runs):
        return runs
    trace = runs["inline"].astype(np.int64) * (int(runs["crossline"].max()) + 1) + runs["crossline"]
    if how == "trace":
        filled = _joined(runs, trace)
    else:
        order = np.lexsort((runs["start"], runs["body"], trace))
        body = trace[order] * (int(runs["body"].max()) + 1) + runs["body"][order]
        filled = _join_overlapping(_joined(runs[order], body))
    filled["body"] = 0
    return filled


def _join_overlapping(runs: Runs) -> Runs:
    """Join what overlaps or touches once bodies are filled: one body may lie within another."""
    runs = runs[np.lexsort((runs["start"], runs["crossline"], runs["inline"]))]
    trace = runs["inline"].astype(np.int64) * (int(runs["crossline"].max()) + 1) + runs["crossline"]
    deep = int(runs["stop"].max()) + 2
    reach = np.maximum.accumulate(trace * deep + runs["stop"])
    apart = np.ones(len(runs), np.bool_)
    apart[1:] = (trace * deep + runs["start"])[1:] > reach[:-1]
    return _joined(runs, np.cumsum(apart))


def _joined(runs: Runs, group: Integers) -> Runs:
    """One run of each group; groups stand together, their runs in the order of `start`."""
    first = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    whole = np.zeros(len(first), RUN)
    for name in ("inline", "crossline", "start", "top", "body"):
        whole[name] = runs[name][first]
    whole["stop"] = np.maximum.reduceat(runs["stop"], first)
    for name in ("cells", "weight"):
        whole[name] = np.add.reduceat(runs[name], first)
    deepest = np.lexsort((runs["stop"], group))
    last = np.append(first[1:], len(runs)) - 1
    whole["base"] = runs["base"][deepest[last]]
    return whole
