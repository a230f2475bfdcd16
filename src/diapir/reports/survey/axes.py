"""Axes that the pictures of a survey share: trace numbers and time or depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def vertical_name(grid: Grid) -> str:
    """Label of the vertical axis, with its unit."""
    names = {"time": "two-way time (ms)", "depth": f"depth ({grid.depth_unit})"}
    return names.get(grid.domain, f"time (ms) or depth ({grid.depth_unit})")


def horizontal_names(grid: Grid, scale: str = "") -> tuple[str, str]:
    """Labels of axes of coordinates, with their unit.

    Args:
        grid: geometry of the survey.
        scale: `k` where lengths are drawn in thousands.
    """
    if grid.xy_unit == "degrees" and not scale:
        return "longitude (degrees)", "latitude (degrees)"
    unit = {"m": f"{scale}m", "ft": "1,000 ft" if scale else "ft"}.get(grid.xy_unit, f"{scale}m")
    if grid.xy_unit == "degrees":
        return f"east of the middle ({unit})", f"north of the middle ({unit})"
    return f"easting ({unit})", f"northing ({unit})"


def vertical_extent(grid: Grid, traces: int) -> tuple[float, float, float, float]:
    """Extent of a section for `imshow`: trace indices across, time or depth down."""
    half = grid.interval / 2
    return -0.5, traces - 0.5, grid.vertical[-1] + half, grid.vertical[0] - half


def label_traces(axes: Axes, numbers: NDArray[np.int64]) -> None:
    """Label the traces of a section with round inline, crossline or CDP numbers.

    Args:
        axes: with trace indices across.
        numbers: number of each trace, `int64 (traces,)`.
    """
    from matplotlib.ticker import MaxNLocator

    steps = np.sign(np.diff(numbers))
    if len(numbers) > 1 and abs(steps.sum()) == len(steps):  # strictly monotonic
        low, high = int(numbers.min()), int(numbers.max())
        locator = MaxNLocator(nbins=6, integer=True, min_n_ticks=2)
        shown = np.asarray(locator.tick_values(low, high))
        shown = shown[(shown >= low) & (shown <= high)]
        places = np.interp(shown, np.sort(numbers), np.argsort(numbers))
        axes.set_xticks(places, [f"{number:.0f}" for number in shown])
    else:
        ends = np.unique(np.linspace(0, len(numbers) - 1, min(6, len(numbers))).round().astype(int))
        axes.set_xticks(ends, [str(numbers[place]) for place in ends])


def corners(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of bins from their centres, `float64 (I, X)` → `(I + 1, X + 1)`; I, X > 1.

    With corners, `pcolormesh` draws bins without gaps, also where coordinates are irregular.
    """
    padded = np.pad(centres, 1, mode="reflect", reflect_type="odd")
    mean: NDArray[np.float64] = (
        padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]
    ) / 4
    return mean
