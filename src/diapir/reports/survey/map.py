"""Pictures of a survey: a map of its traces and one of its sections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.files import claim, replace_file
from diapir.reports.style import LIGHT, draw_png
from diapir.reports.survey.axes import (
    corners,
    horizontal_names,
    label_traces,
    vertical_extent,
    vertical_name,
)
from diapir.surveys import PERCENTILE, Grid, Survey, percentile
from diapir.text import integer, plural

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

MOST_BINS = 160_000
"""Maximum number of bins on a map; larger grids are decimated."""
MOST_TRACES = 2000
"""Maximum number of traces in the picture of a section."""


def write_survey_pictures(survey: Survey, facts: Mapping[str, Any], out: Path) -> list[Path]:
    """Write `map.png`, `section.png` and `survey.json` into a folder.

    Args:
        survey: any survey.
        facts: content of `survey.json`.
        out: folder, created if missing; files of these names are replaced.

    Returns:
        The files.

    Raises:
        DataError: `out` is a file or a link.
    """
    claim(out, holds="a folder of pictures", ours=Path.is_dir)
    out.mkdir(parents=True, exist_ok=True)
    contents: dict[str, bytes | str] = {
        "map.png": draw_map(survey),
        "section.png": draw_section(survey),
        "survey.json": json.dumps(facts, indent=1, allow_nan=False) + "\n",
    }
    for name, content in contents.items():
        replace_file(out / name, content)
    return [out / name for name in contents]


def draw_map(survey: Survey) -> bytes:
    """Map of the traces as a PNG: by coordinates where known, otherwise by line number."""
    grid = survey.grid
    volume = min(grid.live.shape) > 1
    east, north, known = _trace_positions(grid)
    inline = _shown_section(grid)[0]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        handles = (_draw_area if volume else _draw_line)(axes, grid, east, north)
        if volume:
            colour = LIGHT["ink"]
            handles += axes.plot(east[inline], north[inline], color=colour, label="section shown")
        axes.set_title(_title(survey), loc="left")
        if known:
            across, up = horizontal_names(grid)
            axes.set_xlabel(across)
            axes.set_ylabel(up)
            plane = grid.plane
            axes.set_aspect(plane.north / plane.east, adjustable="datalim")
            axes.ticklabel_format(style="plain", useOffset=False)
        elif grid.kind == "2d":
            axes.set_xlabel("CDP or trace")
            axes.set_yticks([])
            axes.set_ylabel("no coordinates")
        else:
            axes.set_xlabel("crossline (no coordinates)")
            axes.set_ylabel("inline (no coordinates)")
        axes.locator_params(nbins=6)
        axes.margins(0.06)
        figure.legend(handles=handles, loc="outside lower center", ncols=3)

    return draw_png(plot, width=6.4, height=6.0 if volume else 4.2)


def _draw_area(axes: Axes, grid: Grid, east: Floats, north: Floats) -> list[Artist]:
    """Draw the bins of a volume in the colours of live and missing traces, for the legend too."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    step = max(1, int(np.ceil(np.sqrt(grid.live.size / MOST_BINS))))
    thin = tuple(slice(None, None, min(step, count - 1)) for count in grid.live.shape)
    axes.pcolormesh(
        corners(east[thin]),
        corners(north[thin]),
        grid.live[thin],
        cmap=ListedColormap([LIGHT["second"], LIGHT["first"]]),
        vmin=0,
        vmax=1,
    )
    return [Patch(color=colour, label=label) for _, colour, label in _kinds(grid)]


def _draw_line(axes: Axes, grid: Grid, east: Floats, north: Floats) -> list[Artist]:
    """Draw the traces of a line as dots in the colours of live and missing traces."""
    thin = slice(None, None, max(1, grid.live.size // MOST_TRACES))
    east, north = east.reshape(-1)[thin], north.reshape(-1)[thin]
    handles: list[Artist] = []
    for where, colour, label in _kinds(grid):
        shown = where.reshape(-1)[thin] & np.isfinite(east)
        handles.append(
            axes.scatter(
                east[shown],
                north[shown],
                s=8,
                marker="s",
                color=colour,
                linewidths=0,
                label=label,
            )
        )
    return handles


def _kinds(grid: Grid) -> list[tuple[NDArray[np.bool_], str, str]]:
    """Live and missing traces with their colour and label; a kind without traces is left out."""
    kinds = [
        (grid.live, LIGHT["first"], "traces"),
        (~grid.live, LIGHT["second"], "missing or dead traces"),
    ]
    return [
        (where, colour, f"{label} ({integer(int(where.sum()))})")
        for where, colour, label in kinds
        if where.any()
    ]


def draw_section(survey: Survey) -> bytes:
    """The section with most live traces as a PNG, preferably an inline."""
    grid = survey.grid
    inlines, crosslines, along, numbers, name = _section_parts(grid)
    amplitude = np.moveaxis(survey.read(inlines, crosslines), -1, 0).reshape(grid.samples, -1)
    clip = percentile(survey, PERCENTILE) or 1.0
    every = max(1, len(numbers) // MOST_TRACES)
    amplitude, shown = amplitude[:, ::every], numbers[::every]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        _show(axes, amplitude, grid, clip)
        axes.set_title(f"{survey.name}: {name}" if name else survey.name, loc="left")
        axes.set_xlabel(along)
        label_traces(axes, shown)

    return draw_png(plot, width=7.2, height=4.6)


def _show(axes: Axes, amplitude: NDArray[np.float32], grid: Grid, clip: float) -> None:
    """Show amplitudes in grey, black and white at ±`clip`, gaps in a colour."""
    from matplotlib import colormaps

    colours = colormaps["gray"].with_extremes(bad=LIGHT["bar"])
    axes.imshow(
        np.ma.masked_invalid(amplitude),
        cmap=colours,
        vmin=-clip,
        vmax=clip,
        aspect="auto",
        interpolation="antialiased",
        interpolation_stage="rgba",
        extent=vertical_extent(grid, amplitude.shape[1]),
    )
    axes.set_ylabel(vertical_name(grid))
    axes.grid(visible=False)


def _shown_section(grid: Grid) -> tuple[int, bool]:
    """Index of the line with most live traces (the middle one of ties); whether it is an inline."""
    along = len(grid.crosslines) > 1 or len(grid.inlines) == 1
    counts = grid.live.sum(axis=1 if along else 0)
    best = np.flatnonzero(counts == counts.max())
    return int(best[len(best) // 2]), along


def _section_parts(grid: Grid) -> tuple[slice, slice, str, NDArray[np.int64], str]:
    """The part of the grid to draw, the label and numbers of its traces, and its name."""
    place, is_inline = _shown_section(grid)
    one, whole = slice(place, place + 1), slice(None)
    if grid.kind == "2d":
        return whole, whole, "CDP or trace", grid.crosslines, ""
    if is_inline:
        return one, whole, "crossline", grid.crosslines, f"inline {grid.inlines[place]}"
    return whole, one, "inline", grid.inlines, f"crossline {grid.crosslines[place]}"


def _trace_positions(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Map position of each trace, and whether these are coordinates or line numbers.

    Coordinates of missing traces are extrapolated from a plane through the known ones.
    """
    inline, crossline = (
        part.astype(np.float64)
        for part in np.meshgrid(grid.inlines, grid.crosslines, indexing="ij")
    )
    known = np.isfinite(grid.easting)
    if known.sum() < 2:
        return crossline, inline, False
    terms = np.stack([np.ones_like(inline), inline, crossline], axis=-1)
    if min(grid.live.shape) == 1:  # a line may bend: missing traces are left out
        return grid.easting, grid.northing, True
    drawn = []
    for values in (grid.easting, grid.northing):
        offset = values[known].mean()
        solution, *_ = np.linalg.lstsq(terms[known], values[known] - offset, rcond=None)
        drawn.append(np.where(known, values, terms @ solution + offset))
    return drawn[0], drawn[1], True


def _title(survey: Survey) -> str:
    grid = survey.grid
    if grid.kind == "2d":
        return f"{survey.name}: 2D line, {plural(grid.live.size, 'trace')}"
    inlines, crosslines, _ = grid.shape
    return f"{survey.name}: {plural(inlines, 'inline')} × {plural(crosslines, 'crossline')}"
