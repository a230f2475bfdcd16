"""Connected components of a graph, as labelling of masks, salt bodies and tile groups needs them.

`scipy.sparse.csgraph.connected_components` does the same, but SciPy (some 100 MB) is deliberately
not a dependency of the base install, and this is the only function of it that diapir would call.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def components(count: int, left: Integers, right: Integers) -> Integers:
    """Number the connected components of an undirected graph.

    All edges are processed at once: each root is hooked onto a lower neighbouring root and paths
    are halved until they are flat, until both ends of every edge have the same root (Shiloach and
    Vishkin 1982, https://doi.org/10.1016/0196-6774(82)90008-6).

    Args:
        count: number of nodes, which are numbered from 0.
        left: one end of each edge, `int64 (edges,)`.
        right: the other end, `int64 (edges,)`.

    Returns:
        The component of each node, `int64 (count,)`. Components are numbered from 0 without gaps,
        in the order of their lowest nodes.
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
