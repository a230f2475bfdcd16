"""The geometry of a survey seen from above, and one of its sections, as pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.files import replace_file
from diapir.reports.style import LIGHT, draw_png
from diapir.surveys import PERCENTILE, Grid, Survey, percentile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_MARKS = 40_000
"""Positions that a map shows; larger grids are thinned out evenly."""
MOST_TRACES = 2000
"""Traces that a picture of a section shows at most."""


def write_survey_pictures(survey: Survey, facts: Mapping[str, Any], out: Path) -> list[Path]:
    """Write `map.png`, `section.png` and `survey.json` into a folder.

    Args:
        survey: any survey.
        facts: what is known of it, JSON-able.
        out: folder, made where there is none; files of these names are replaced.

    Returns:
        The files.

    Raises:
        DataError: `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise DataError(
            f"--out {out} is a file",
            expected="a folder for the pictures",
            fix="choose another --out",
        )
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
    """Positions of the traces as a PNG: by coordinates where they are known, else by number."""
    grid = survey.grid
    step = max(1, int(np.ceil(np.sqrt(grid.live.size / MOST_MARKS))))
    if 1 in grid.live.shape:  # a line is thinned along its one axis
        step = max(1, grid.live.size // MOST_TRACES)
    thin = slice(None, None, step), slice(None, None, step)
    live = grid.live[thin]
    east, north, known = _places(grid)
    east, north = east[thin], north[thin]
    inline = _shown_section(grid)[0]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        size = float(np.clip(60_000 / live.size, 1.5, 60)) if min(live.shape) > 1 else 8.0
        absent = ~live & np.isfinite(east)
        marks = [
            (live, LIGHT["first"], "traces"),
            (absent, LIGHT["second"], "gaps and dead traces"),
        ]
        for where, colour, label in marks:
            if where.any():
                count = int((grid.live if where is live else ~grid.live).sum())
                axes.scatter(
                    east[where],
                    north[where],
                    s=size,
                    marker="s",
                    color=colour,
                    linewidths=0,
                    label=f"{label} ({count:,})",
                )
        if min(grid.live.shape) > 1:
            line = _places(grid)[:2]
            axes.plot(*(part[inline] for part in line), color=LIGHT["ink"], label="section shown")
        axes.set_title(_title(survey), loc="left")
        if known:
            axes.set_xlabel("easting")
            axes.set_ylabel("northing")
            axes.set_aspect("equal", adjustable="datalim")
            axes.ticklabel_format(style="plain", useOffset=False)
        elif grid.kind == "2d":
            axes.set_xlabel("CDP or trace")
            axes.set_yticks([])
            axes.set_ylabel("no coordinates")
        else:
            axes.set_xlabel("crossline (no coordinates)")
            axes.set_ylabel("inline")
        axes.locator_params(nbins=6)
        axes.margins(0.06)
        figure.legend(loc="outside lower center", ncols=3, markerscale=1)

    return draw_png(plot, width=6.4, height=6.0 if min(grid.live.shape) > 1 else 4.2)


def draw_section(survey: Survey) -> bytes:
    """One section of the survey as a PNG, the one with most traces: an inline where it can be."""
    grid = survey.grid
    inlines, crosslines, along, numbers, name = _section_parts(grid)
    amplitude = np.moveaxis(survey.read(inlines, crosslines), -1, 0).reshape(grid.samples, -1)
    clip = percentile(survey, PERCENTILE) or 1.0
    every = max(1, len(numbers) // MOST_TRACES)
    amplitude, shown = amplitude[:, ::every], numbers[::every]

    def plot(figure: Figure) -> None:
        axes = figure.add_subplot()
        _show(axes, amplitude, grid, clip)
        axes.set_title(f"{survey.name}: {name}", loc="left")
        axes.set_xlabel(along)
        places = np.unique(np.linspace(0, len(shown) - 1, min(7, len(shown))).round().astype(int))
        axes.set_xticks(places, [str(shown[place]) for place in places])

    return draw_png(plot, width=7.2, height=4.6)


def _show(axes: Axes, amplitude: NDArray[np.float32], grid: Grid, clip: float) -> None:
    """Amplitudes in grey, black and white at `clip`; what has no value in the colour of gaps."""
    from matplotlib import colormaps

    colours = colormaps["gray"].with_extremes(bad=LIGHT["bar"])
    half = grid.interval / 2
    axes.imshow(
        np.ma.masked_invalid(amplitude),
        cmap=colours,
        vmin=-clip,
        vmax=clip,
        aspect="auto",
        interpolation="antialiased",
        interpolation_stage="rgba",
        extent=(-0.5, amplitude.shape[1] - 0.5, grid.vertical[-1] + half, grid.vertical[0] - half),
    )
    names = {"time": "two-way time (ms)", "depth": "depth (m)"}
    axes.set_ylabel(names.get(grid.domain, "time (ms) or depth (m)"))
    axes.grid(visible=False)


def _shown_section(grid: Grid) -> tuple[int, bool]:
    """The line with most live traces, of equals the middle one; whether it is an inline."""
    along = len(grid.crosslines) > 1 or len(grid.inlines) == 1
    counts = grid.live.sum(axis=1 if along else 0)
    best = np.flatnonzero(counts == counts.max())
    return int(best[len(best) // 2]), along


def _section_parts(grid: Grid) -> tuple[slice, slice, str, NDArray[np.int64], str]:
    """Which part of the grid to draw, what runs across and its numbers, and what it is called."""
    place, is_inline = _shown_section(grid)
    one, whole = slice(place, place + 1), slice(None)
    if grid.kind == "2d":
        return whole, whole, "CDP or trace", grid.crosslines, "line"
    if is_inline:
        return one, whole, "crossline", grid.crosslines, f"inline {grid.inlines[place]}"
    return whole, one, "inline", grid.inlines, f"crossline {grid.crosslines[place]}"


def _places(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Where each position is drawn, absent ones by what their neighbours say; False by number."""
    inline, crossline = (
        part.astype(np.float64)
        for part in np.meshgrid(grid.inlines, grid.crosslines, indexing="ij")
    )
    known = np.isfinite(grid.easting)
    if known.sum() < 2:
        return crossline, inline, False
    terms = np.stack([np.ones_like(inline), inline, crossline], axis=-1)
    if min(grid.live.shape) == 1:  # a line bends; what is absent is left out
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
        return f"{survey.name}: a line of {grid.live.size:,} traces"
    counts = (("inline", len(grid.inlines)), ("crossline", len(grid.crosslines)))
    words = (f"{count:,} {name}{'s' if count > 1 else ''}" for name, count in counts)
    return f"{survey.name}: {' × '.join(words)}"
