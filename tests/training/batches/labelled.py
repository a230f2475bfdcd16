"""A section whose pixels tell where they are, for the tests of windows."""

from __future__ import annotations

import numpy as np

from diapir.config import IGNORE
from diapir.training.batches.labelled_sections import LabelledSection

SIDE = 30
EYE = np.eye(2)


def section(
    height: int = 90, width: int = 120, cells: list[tuple[int, int]] | None = None
) -> LabelledSection:
    """Every pixel tells where it is; cells of 30 pixels are labelled, by row and column."""
    y, x = np.mgrid[:height, :width]
    image = (3 * y + x).astype(np.uint8)
    mask = np.full((height, width), IGNORE, np.uint8)
    boxes = []
    for row, column in cells if cells is not None else [(1, 1), (1, 2)]:
        top, left = SIDE * row, SIDE * column
        mask[top : top + SIDE, left : left + SIDE] = (x + y)[:SIDE, :SIDE] > SIDE
        boxes.append((top, left, top + SIDE, left + SIDE))
    return LabelledSection(image, mask, np.array(boxes, np.int64))
