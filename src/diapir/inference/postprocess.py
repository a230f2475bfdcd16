"""Post-processing from probabilities to masks: threshold and minimum component size.

Areas are pixels joined by their sides. Rows are cut into runs of salt, runs that touch are joined
until nothing changes, and all of it is array arithmetic: a whole stack of tiles at once takes a
fraction of what its network takes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir.connected import components
from diapir.errors import ConfigError


def salt_mask(
    probability: NDArray[np.float32], threshold: float, min_area: int = 0
) -> NDArray[np.uint8]:
    """The mask of predicted salt.

    Args:
        probability: of salt, `float32 (..., H, W)` in [0, 1].
        threshold: a pixel with at least this probability (as float32) is salt; in (0, 1).
        min_area: minimum component size in pixels; smaller components are removed.

    Returns:
        `uint8 (..., H, W)` of {0, 1}.
    """
    mask = probability >= np.float32(threshold)
    if min_area > 1:
        labels, areas = label_areas(mask)
        mask = (areas >= min_area)[labels]
    return mask.astype(np.uint8)


def check_postprocessing(threshold: float, min_area: int) -> None:
    """Refuse a threshold or a minimum component size out of range.

    Raises:
        ConfigError: a threshold outside (0, 1), or a `min_area` below 0.
    """
    if not 0 < threshold < 1:
        raise ConfigError(
            f"the threshold is {threshold}",
            expected="a probability between 0 and 1, exclusive",
            fix="leave --threshold out to use the model's own, or give one such as 0.5",
        )
    if min_area < 0:
        raise ConfigError(
            f"the minimum component size is {min_area} pixels",
            expected="a whole number of pixels; 0 keeps every component",
            fix="leave --min-area out to use the model's own, or give one such as 20",
        )


def label_areas(masks: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the connected areas of masks.

    Args:
        masks: `bool (..., H, W)`; areas of different masks of a stack are different areas.

    Returns:
        The number of each pixel's area, `int64 (..., H, W)`, 0 where the mask is False; and the
        pixels of each area by number, `int64 (areas + 1,)`, with 0 for what is in no area.
    """
    height, width = masks.shape[-2:]
    # a column and a row of nothing keep rows and masks apart, once all of it is one line
    framed = np.zeros((masks.size // max(height * width, 1), height + 1, width + 1), np.bool_)
    framed[:, :-1, :-1] = masks.reshape(-1, height, width)
    line = framed.ravel()
    begins = line.copy()
    begins[1:] &= ~line[:-1]
    runs = np.cumsum(begins)
    runs *= line
    # node 0 is what lies outside every area: it has no edge, and stays component 0
    joined = components(int(begins.sum()) + 1, *_touching(runs, width + 1))
    numbers = joined[runs].reshape(framed.shape)[:, :-1, :-1].reshape(masks.shape)
    areas = np.bincount(numbers.ravel(), minlength=joined.max() + 1)
    areas[0] = 0
    return numbers, areas


def _touching(runs: NDArray[np.int64], below: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs and the runs under them: two arrays of numbers; `below` is a row's length."""
    upper, lower = runs[:-below], runs[below:]
    both = np.flatnonzero((upper > 0) & (lower > 0))
    upper, lower = upper[both], lower[both]
    new = np.ones(len(both), np.bool_)
    new[1:] = (upper[1:] != upper[:-1]) | (lower[1:] != lower[:-1])
    return upper[new], lower[new]
