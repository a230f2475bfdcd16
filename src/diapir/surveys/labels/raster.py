"""Polygons and strokes as pixels of a section.

Points are (x, y) in pixels: x the fractional index of a trace, y the fractional index of a sample;
pixel (0, 0) has its centre at (0, 0).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""`float64 (n, 2)`: x, y."""
Shape = tuple[int, int]
"""Samples and traces."""

_FAR = 1e9
"""Pixels beyond which nothing is drawn."""
_SMALLEST = 0.5
"""Half-axis of the smallest brush, in pixels."""


def fill_polygon(rings: Sequence[Points], shape: Shape) -> NDArray[np.bool_]:
    """The pixels whose centres lie inside a polygon (even-odd rule).

    Every column is crossed once: its pixels between the first and the second crossing of an edge
    are inside, and so on. A ring inside another one is a hole.

    Args:
        rings: closed by themselves; outer ring and holes in any order. They may leave the section.
        shape: height and width of the section.

    Returns:
        `bool (H, W)`.
    """
    height, width = shape
    columns: list[NDArray[np.int64]] = []
    crossings: list[Points] = []
    for ring in (np.clip(ring, -_FAR, _FAR) for ring in rings):
        starts, ends = ring, np.roll(ring, -1, axis=0)
        for (x0, y0), (x1, y1) in zip(starts.tolist(), ends.tolist(), strict=True):
            if x0 == x1:
                continue
            (left, at), (right, to) = sorted(((x0, y0), (x1, y1)))
            # half-open, so that a column through a vertex crosses one of its two edges
            first, last = max(0, int(np.ceil(left))), min(width, int(np.ceil(right)))
            hit = np.arange(first, last)
            columns.append(hit)
            crossings.append(at + (to - at) * ((hit - left) / (right - left)))
    if not columns:
        return np.zeros(shape, np.bool_)
    flips = np.zeros((height + 1, width), np.int64)
    rows = np.clip(np.ceil(np.concatenate(crossings)), 0, height).astype(np.int64)
    np.add.at(flips, (rows, np.concatenate(columns)), 1)
    inside: NDArray[np.bool_] = np.cumsum(flips, axis=0)[:-1] % 2 == 1
    return inside


def paint_stroke(points: Points, size: tuple[float, float], shape: Shape) -> NDArray[np.bool_]:
    """The pixels under a brush that is drawn along straight lines between points.

    The brush is an ellipse. The pixels nearest to the points are always painted.

    Args:
        points: at least one.
        size: width and height of the brush in pixels; 1 or less paints single pixels.
        shape: height and width of the section.

    Returns:
        `bool (H, W)`.
    """
    height, width = shape
    painted = np.zeros(shape, np.bool_)
    half = np.clip(np.array(size) / 2, _SMALLEST, _FAR)
    points = np.clip(points, -_FAR, _FAR)
    for start, end in zip(points, points[[*range(1, len(points)), -1]], strict=True):
        low = np.ceil(np.minimum(start, end) - half).astype(np.int64)
        high = np.floor(np.maximum(start, end) + half).astype(np.int64) + 1
        left, top = np.maximum(low, 0).tolist()
        right, bottom = np.minimum(high, (width, height)).tolist()
        if left >= right or top >= bottom:
            continue
        x = (np.arange(left, right)[None] - start[0]) / half[0]
        y = (np.arange(top, bottom)[:, None] - start[1]) / half[1]
        along = (end - start) / half
        length = float(along @ along)
        share = np.clip((x * along[0] + y * along[1]) / length, 0, 1) if length else 0.0
        distance = (x - share * along[0]) ** 2 + (y - share * along[1]) ** 2
        painted[top:bottom, left:right] |= distance <= 1 + 1e-9
    x, y = np.rint(points).astype(np.int64).T
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    painted[y[within], x[within]] = True
    return painted
