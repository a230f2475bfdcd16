"""Salt bodies as closed surfaces in survey coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import Bins
from diapir.surveys.products.bodies import Bodies, Parts
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import Block, Intervals, Predictions, draw_salt
from diapir.surveys.products.surface_nets import Surface, surface_nets, volume_of

MESH_CELLS = 2_000_000
"""Cells of the box of one body in the mesh; larger bodies are averaged over cubes of cells."""


@dataclass(frozen=True)
class Mesh:
    """The surface of a body.

    Attributes:
        body: its number, from 1.
        surface: easting, northing and elevation: time in ms or depth in m, negative, as Z points
            up in a mesh. Crossline and inline numbers where the survey has no coordinates.
        step: side of the cubes of cells that were averaged; 1 is full detail.
    """

    body: int
    surface: Surface
    step: int


def body_meshes(
    predictions: Predictions,
    intervals: IntervalFile,
    bodies: Bodies,
    bins: Bins | None,
    *,
    threshold: float,
    count: int,
    cells: int = MESH_CELLS,
    progress: Callable[[], None] = lambda: None,
) -> list[Mesh]:
    """The surfaces of the largest bodies, in one pass over the predictions.

    Memory is that of one block and, for each body, of at most `cells` values and its triangles.

    Args:
        predictions: their array `probability`.
        intervals: with their bodies.
        bodies: of the survey.
        bins: of its coordinates; None where it has none.
        threshold: the probability on the surface.
        count: of how many bodies.
        cells: see above.
        progress: called after each block.
    """
    fields = [
        _Field(number, part, cells) for number, part in enumerate(bodies.table[:count], start=1)
    ]
    for block, found in intervals:
        _add_block(fields, predictions, block, found, threshold)
        progress()
    meshes = []
    for body in fields:
        surface = surface_nets(body.mean(), threshold)
        if not len(surface.triangles):  # a sheet thinner than half a cube
            surface = surface_nets(body.peak, threshold)
        meshes.append(Mesh(body.number, _placed(surface, body, predictions.grid, bins), body.step))
    return meshes


@dataclass
class _Field:
    """Mean and largest probability of one body over cubes of cells of its box."""

    number: int
    part: Parts
    cells: int
    step: int = field(init=False)
    sums: NDArray[np.float32] = field(init=False)
    peak: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        # one cell more on each side, for the probability falls to the threshold outside the body
        self.low = [int(self.part[name]) - 1 for name in ("inline0", "crossline0", "start")]
        self.high = [int(self.part[name]) + 1 for name in ("inline1", "crossline1", "stop")]
        sides = [high - low for low, high in zip(self.low, self.high, strict=True)]
        self.step = 1
        while math.prod(-(-side // self.step) for side in sides) > self.cells:
            self.step += 1
        shape = tuple(-(-side // self.step) for side in sides)
        self.sums, self.peak = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def overlap(self, block: Block) -> tuple[slice, slice] | None:
        """Traces of the block that lie in the body's box, by position in the grid."""
        inlines = slice(max(self.low[0], block.inline0), min(self.high[0], block.inline1))
        crosslines = slice(max(self.low[1], block.crossline0), min(self.high[1], block.crossline1))
        if inlines.start >= inlines.stop or crosslines.start >= crosslines.stop:
            return None
        return inlines, crosslines

    def add(self, values: NDArray[np.float32], inlines: slice, crosslines: slice) -> None:
        """Add values of some traces, `float32 (i, x, samples)`."""
        first = max(self.low[2], 0)
        values = values[:, :, first : self.high[2]]
        starts = (inlines.start, crosslines.start, first)
        sums = peak = values
        place = []
        for axis, start in enumerate(starts):
            cube = (start - self.low[axis] + np.arange(values.shape[axis])) // self.step
            edges = np.flatnonzero(np.diff(cube, prepend=cube[0] - 1))
            sums = np.add.reduceat(sums, edges, axis=axis)
            peak = np.maximum.reduceat(peak, edges, axis=axis)
            place.append(slice(int(cube[0]), int(cube[-1]) + 1))
        self.sums[tuple(place)] += sums
        self.peak[tuple(place)] = np.maximum(self.peak[tuple(place)], peak)

    def mean(self) -> NDArray[np.float32]:
        """Mean over each cube; what lies outside the data counts as 0."""
        return self.sums / np.float32(self.step**3)


def _add_block(
    fields: Iterable[_Field],
    predictions: Predictions,
    block: Block,
    intervals: Intervals,
    threshold: float,
) -> None:
    wanted = [(body, overlap) for body in fields if (overlap := body.overlap(block))]
    if not wanted:
        return
    samples = predictions.grid.samples
    probability = np.nan_to_num(predictions.read("probability", *block.slices), nan=0.0)
    level = np.float32(threshold)
    salt = probability >= level
    for body, (inlines, crosslines) in wanted:
        local = (
            slice(inlines.start - block.inline0, inlines.stop - block.inline0),
            slice(crosslines.start - block.crossline0, crosslines.stop - block.crossline0),
        )
        own = draw_salt(intervals[intervals["body"] == body.number], block, samples)[local]
        values = probability[local].copy()
        values[salt[local] & ~own] = 0  # another body
        filled = own & ~salt[local]
        values[filled] = 1
        body.add(values, inlines, crosslines)


def _placed(surface: Surface, body: _Field, grid: Grid, bins: Bins | None) -> Surface:
    """Positions in a body's field as survey coordinates, with the outside outside."""
    half = (body.step - 1) / 2
    inline, crossline, sample = (
        surface.vertices[:, axis] * body.step + half + body.low[axis] for axis in range(3)
    )
    inlines = _line_numbers(inline, grid.inlines)
    crosslines = _line_numbers(crossline, grid.crosslines)
    easting, northing = bins.place(inlines, crosslines) if bins else (crosslines, inlines)
    elevation = -(grid.start + sample * grid.interval)
    placed = Surface(np.stack([easting, northing, elevation], axis=1), surface.triangles)
    if volume_of(placed) < 0:  # the axes of the survey need not be right-handed
        placed = Surface(placed.vertices, placed.triangles[:, ::-1])
    return placed


def _line_numbers(position: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Line numbers at positions that need not be whole, and may lie just outside."""
    place = np.clip(np.floor(position).astype(int), 0, len(numbers) - 2)
    step = numbers[place + 1] - numbers[place]
    between: NDArray[np.float64] = numbers[place] + (position - place) * step
    return between
