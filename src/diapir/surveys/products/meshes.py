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
from diapir.surveys.units import METRES

MESH_CELLS = 2_000_000
"""Maximum samples in the bounding box of a meshed body; larger bodies are averaged over cubes."""


@dataclass(frozen=True)
class Mesh:
    """The surface of a body.

    Attributes:
        body: number of the body, from 1.
        surface: vertices as easting, northing and elevation, see `mesh_axes`. Without coordinates,
            crossline and inline numbers take the place of easting and northing.
        step: side of the averaged cubes in samples; 1 is full resolution.
    """

    body: int
    surface: Surface
    step: int


@dataclass(frozen=True)
class MeshAxes:
    """The units of a mesh: one for all axes of a survey in depth, so that it has true shapes.

    Attributes:
        across: unit of X and Y; empty for line numbers.
        up: unit of Z, which points up: times and depths are negated.
        depth_factor: from the survey's vertical unit to `up`.
        offsets: whether X and Y are offsets in metres from the middle of a survey in degrees.
    """

    across: str
    up: str
    depth_factor: float
    offsets: bool

    def words(self, bins: Bins | None) -> str:
        """The axes in words, for the comment in a file."""
        names = "easting, northing" if bins else "crossline number, inline number"
        if self.offsets and bins:
            longitude, latitude = bins.plane.origin
            names = f"m east and north of longitude {longitude:.7f}, latitude {latitude:.7f}"
        elif self.across:
            names += f" in {self.across}"
        return f"{names}, elevation in {self.up}, negative down"


def mesh_axes(grid: Grid, bins: Bins | None) -> MeshAxes:
    """The units of a survey's meshes.

    Args:
        grid: geometry of the survey.
        bins: its bins; None where it has no coordinates.
    """
    if bins is None:
        return MeshAxes("", grid.unit, 1.0, offsets=False)
    across = "m" if grid.xy_unit == "degrees" else grid.xy_unit
    offsets = grid.xy_unit == "degrees"
    if grid.domain != "depth":
        return MeshAxes(across, grid.unit, 1.0, offsets)
    return MeshAxes(across, across, METRES[grid.depth_unit] / METRES[across], offsets)


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
    """Mesh the largest bodies, in one pass over the predictions.

    Memory holds one block and, per body, at most `cells` values and its triangles.

    Args:
        predictions: array `probability` of the survey.
        intervals: labelled intervals.
        bodies: bodies of the survey.
        bins: its bins; None where it has no coordinates.
        threshold: probability on the surface.
        count: number of bodies to mesh.
        cells: maximum samples in the bounding box of a body at full resolution.
        progress: called after each block.
    """
    fields = [
        _Field(number, part, cells)
        for number, part in zip(bodies.numbers[:count], bodies.table, strict=False)
    ]
    for block, found in intervals:
        _add_block(fields, predictions, block, found, threshold)
        progress()
    meshes = []
    for body in fields:
        surface = surface_nets(body.mean(), threshold)
        if not len(surface.triangles):  # thinner than half a cube
            surface = surface_nets(body.peak, threshold)
        meshes.append(Mesh(body.number, _placed(surface, body, predictions.grid, bins), body.step))
    return meshes


@dataclass
class _Field:
    """Mean and maximum probability of one body over cubes of its bounding box."""

    number: int
    part: Parts
    cells: int
    step: int = field(init=False)
    sums: NDArray[np.float32] = field(init=False)
    peak: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        # one sample more on each side: the probability falls to the threshold outside the body
        self.low = [int(self.part[name]) - 1 for name in ("inline0", "crossline0", "start")]
        self.high = [int(self.part[name]) + 1 for name in ("inline1", "crossline1", "stop")]
        sides = [high - low for low, high in zip(self.low, self.high, strict=True)]
        self.step = 1
        while math.prod(-(-side // self.step) for side in sides) > self.cells:
            self.step += 1
        shape = tuple(-(-side // self.step) for side in sides)
        self.sums, self.peak = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def overlap(self, block: Block) -> tuple[slice, slice] | None:
        """Traces of the block inside the bounding box, by grid index."""
        inlines = slice(max(self.low[0], block.inline0), min(self.high[0], block.inline1))
        crosslines = slice(max(self.low[1], block.crossline0), min(self.high[1], block.crossline1))
        if inlines.start >= inlines.stop or crosslines.start >= crosslines.stop:
            return None
        return inlines, crosslines

    def add(self, values: NDArray[np.float32], inlines: slice, crosslines: slice) -> None:
        """Accumulate the values of some traces, `float32 (i, x, samples)`."""
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
        """Mean over each cube; samples outside the data count as 0."""
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
    """Convert vertices from field indices to survey coordinates, keeping normals outward."""
    half = (body.step - 1) / 2
    inline, crossline, sample = (
        surface.vertices[:, axis] * body.step + half + body.low[axis] for axis in range(3)
    )
    inlines = _line_numbers(inline, grid.inlines)
    crosslines = _line_numbers(crossline, grid.crosslines)
    easting, northing = bins.place(inlines, crosslines) if bins else (crosslines, inlines)
    axes = mesh_axes(grid, bins)
    if axes.offsets and bins:
        easting = (easting - bins.plane.origin[0]) * bins.plane.east
        northing = (northing - bins.plane.origin[1]) * bins.plane.north
    elevation = -(grid.start + sample * grid.interval) * axes.depth_factor
    placed = Surface(np.stack([easting, northing, elevation], axis=1), surface.triangles)
    if volume_of(placed) < 0:  # the survey axes may be left-handed
        placed = Surface(placed.vertices, placed.triangles[:, ::-1])
    return placed


def _line_numbers(position: NDArray[np.float64], numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """Line numbers at fractional grid indices, which may lie just outside the grid."""
    place = np.clip(np.floor(position).astype(int), 0, len(numbers) - 2)
    step = numbers[place + 1] - numbers[place]
    between: NDArray[np.float64] = numbers[place] + (position - place) * step
    return between
