"""Placing labels beside points without overlap.

The best models of a comparison lie close together: with fixed offsets (`annotate`) their names
cover each other, and adjustText would be one more dependency of the base install for one figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

REACH = (7.0, 12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 92.0, 120.0, 160.0)
"""Distances between a point and its label, in the order they are tried."""
DIRECTIONS = 16
ROUNDS = 3
"""Number of times each label is placed again, given the positions of the others."""


class Box(NamedTuple):
    """A rectangle; `left` ≤ `right`, `bottom` ≤ `top`."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Area of the intersection."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)

    def grown(self, margin: float) -> Box:
        """The box with a margin on every side."""
        return Box(self.left - margin, self.bottom - margin, self.right + margin, self.top + margin)


class Label(NamedTuple):
    """The box of a label, and whether it is far enough from its point to need a leader line."""

    box: Box
    far: bool


def place(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    *,
    dot: float = 5.0,
) -> list[Label]:
    """Place each label near its point and inside the frame, off other labels and points.

    In each round, every label moves to its position of lowest cost while the others stay. If there
    is room for all labels, none overlap.

    Args:
        points: `(x, y)` of each point.
        sizes: `(width, height)` of each label, in the same unit.
        frame: the area for labels.
        dot: half the width of a point's marker.
    """
    dots = [Box(x, y, x, y).grown(dot) for x, y in points]
    labels: list[Label | None] = [None] * len(points)
    # crowded points choose first
    order = sorted(range(len(points)), key=lambda one: _crowding(points, one))
    for _ in range(ROUNDS):
        for one in order:
            others = [label.box for place, label in enumerate(labels) if label and place != one]
            labels[one] = _best(points[one], sizes[one], frame, dots, others)
    return [label for label in labels if label]


def _best(
    point: tuple[float, float],
    size: tuple[float, float],
    frame: Box,
    dots: Sequence[Box],
    others: Sequence[Box],
) -> Label:
    best, least = Label(_beside(point, size, REACH[0], 0), far=False), math.inf
    for step, reach in enumerate(REACH):
        # the position to the right of the point reads best, and distance costs more than direction
        if least <= step:
            break
        for turn in range(DIRECTIONS):
            angle = 2 * math.pi * turn / DIRECTIONS
            box = _beside(point, size, reach, angle)
            outside = size[0] * size[1] - box.overlap(frame)
            crossed = box.grown(1)
            covered = sum(crossed.overlap(other) for other in others)
            marked = sum(box.overlap(one) for one in dots)
            cost = step + 0.02 * min(turn, DIRECTIONS - turn)
            cost += 50 * (outside > 1e-6) + outside + 50 * (covered > 0) + covered + 0.5 * marked
            if cost < least:
                best, least = Label(box, far=step > 1), cost
    return best


def _beside(
    point: tuple[float, float], size: tuple[float, float], reach: float, angle: float
) -> Box:
    """A box at distance `reach` from the point, in the direction `angle`."""
    (x, y), (width, height) = point, size
    across, up = math.cos(angle), math.sin(angle)
    middle_x = x + across * (reach + width / 2)
    middle_y = y + up * (reach + height / 2)
    return Box(
        middle_x - width / 2, middle_y - height / 2, middle_x + width / 2, middle_y + height / 2
    )


def _crowding(points: Sequence[tuple[float, float]], one: int) -> float:
    """Mean distance to the three nearest other points; small in a crowd."""
    distances = sorted(math.dist(points[one], other) for other in points)[1:4]
    return sum(distances) / max(1, len(distances))
