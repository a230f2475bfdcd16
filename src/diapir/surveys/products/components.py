"""Which runs hang together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.products.intervals import Runs

Integers = NDArray[np.int64]


def components(count: int, left: Integers, right: Integers) -> Integers:
    """Connected components of a graph, by union-find over all edges at once.

    Roots are hooked onto lower neighbouring roots, and paths are halved until they are flat, until
    no edge has two roots (Shiloach and Vishkin 1982, https://doi.org/10.1016/0196-6774(82)90008-6).

    Args:
        count: nodes, numbered from 0.
        left: one end of each edge.
        right: the other.

    Returns:
        `int64 (count,)`: of each node its component, numbered from 0 without a hole, in the order
        of the components' lowest nodes.
    """
    root = np.arange(count)
    while True:
        left, right = root[left], root[right]
        apart = left != right
        if not apart.any():
            return np.unique(root, return_inverse=True)[1].reshape(-1)
        left, right = left[apart], right[apart]
        root[np.maximum(left, right)] = np.minimum(left, right)
        while True:
            above = root[root]
            if np.array_equal(above, root):
                break
            root = above


def overlaps(
    runs: Runs, others: Runs, samples: int, *, inline: int = 0, crossline: int = 0
) -> tuple[Integers, Integers]:
    """Runs that share a face with a run of a neighbouring trace.

    Args:
        runs: any runs.
        others: runs in the order of inline, crossline and start; may be the same.
        samples: samples of a trace.
        inline: step from a trace of `runs` to its neighbour among `others`, in inlines.
        crossline: likewise, in crosslines.

    Returns:
        places in `runs` and in `others` of each pair that overlaps in some sample.
    """
    if not len(runs) or not len(others):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    wide = int(max(runs["crossline"].max(), others["crossline"].max())) + abs(crossline) + 2
    depth = samples + 1

    def place(which: Runs, i: int, x: int) -> Integers:
        trace: Integers = (which["inline"].astype(np.int64) + i) * wide + which["crossline"] + x
        return trace * depth

    here, there = place(runs, inline, crossline), place(others, 0, 0)
    # in one trace runs do not overlap, so that starts and stops both rise through all of `others`
    first = np.searchsorted(there + others["stop"], here + runs["start"], side="right")
    last = np.searchsorted(there + others["start"], here + runs["stop"], side="left")
    found = np.maximum(last - first, 0)
    source = np.repeat(np.arange(len(runs)), found)
    before = np.repeat(np.cumsum(found) - found, found)
    return source, np.repeat(first, found) + np.arange(len(source)) - before
