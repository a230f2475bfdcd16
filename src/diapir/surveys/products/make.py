"""What an interpreter loads: horizons, bodies and pictures, from the predictions of a survey."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diapir.errors import ConfigError, DataError, MissingDependencyError
from diapir.files import replace_file
from diapir.surveys.grid import Grid
from diapir.surveys.prediction.exports import is_segy, segy_input
from diapir.surveys.products.bins import Bins, cell_size, fit_bins
from diapir.surveys.products.bodies import Bodies, label
from diapir.surveys.products.body_table import write_table
from diapir.surveys.products.examples import ExampleSection, choose, cut, write_picture
from diapir.surveys.products.fill import FILLS, Fill, fill_intervals
from diapir.surveys.products.horizon_files import (
    HORIZON_FORMATS,
    HorizonFormat,
    HorizonWriter,
    read_me,
)
from diapir.surveys.products.horizons import SaltMaps, crossings, salt_maps
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import (
    Block,
    Predictions,
    blocks,
    draw_bodies,
    find_intervals,
)
from diapir.surveys.products.irap import MISFIT, irap_obstacle, write_irap
from diapir.surveys.products.mesh_files import MESH_FORMATS, write_mesh
from diapir.surveys.products.meshes import Mesh, body_meshes
from diapir.surveys.segy.segy_writer import write_segy
from diapir.surveys.survey import Survey
from diapir.version import __version__

Format = Literal["opendtect", "charisma", "xyz", "irap", "ply", "obj", "vtk", "segy"]
FORMATS: tuple[Format, ...] = get_args(Format)
VOLUME_FORMATS: tuple[Format, ...] = ("opendtect", "ply")
SECTION_FORMATS: tuple[Format, ...] = ("opendtect",)

MIN_CELLS_VOLUME, MIN_CELLS_SECTION = 1000, 100
"""Smallest body that is kept: about ten cells along each axis."""
THRESHOLD = 0.5
SEGY_SLAB = 8
"""Lines that are drawn at once for SEG-Y: 8 bytes a cell."""
MESHES = 20
"""Bodies that get a mesh, the largest first."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ProductOptions:
    """How products are made.

    Attributes:
        threshold: probability from which a cell is salt; None takes 0.5.
        fill: how salt is filled; see `diapir.surveys.products.fill`.
        min_cells: bodies of fewer cells are left out of all products; None takes 1000 in a volume
            and 100 in a section.
        velocity: of sound in salt in m/s, for volumes in m³ of surveys in time.
        formats: of horizons and meshes, and `segy` for body numbers; None takes OpendTect's, and
            PLY of a volume.
        meshes: of how many of the largest bodies.

    Raises:
        ConfigError: an option is out of its range.
    """

    threshold: float | None = None
    fill: Fill = "none"
    min_cells: int | None = None
    velocity: float | None = None
    formats: tuple[Format, ...] | None = None
    meshes: int = MESHES

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        threshold = 0.5 if self.threshold is None else self.threshold
        least = 1 if self.min_cells is None else self.min_cells
        velocity = 1.0 if self.velocity is None else self.velocity
        for option, value, allowed, expected in (
            ("--threshold", threshold, 0 < threshold < 1, "between 0 and 1"),
            ("--fill", self.fill, self.fill in FILLS, ", ".join(FILLS)),
            ("--min-cells", least, least >= 1, "at least 1"),
            ("--velocity", velocity, 0 < velocity < math.inf, "metres a second, such as 4500"),
            (
                "--formats",
                " ".join(self.formats or ()),
                set(self.formats or ()) <= set(FORMATS),
                f"some of {', '.join(FORMATS)}",
            ),
            ("--meshes", self.meshes, self.meshes >= 0, "at least 0"),
        ):
            if not allowed:
                raise ConfigError(
                    f"{option} {value}",
                    expected=expected,
                    fix=f"correct {option}, or leave it out",
                )


@dataclass(frozen=True)
class Products:
    """What was made.

    Attributes:
        name: of the survey.
        out: the folder.
        options: how it was made, all that was left open settled.
        grid: of the survey.
        bins: its bins, None where it has no coordinates.
        cell: size of a cell and its unit, None where unknown.
        bodies: the salt bodies.
        maps: salt as seen from above.
        meshes: surfaces of the largest bodies, in survey coordinates.
        sections: example sections.
        picks: picks of each horizon: `top`, `base`, `crossings`.
        files: all files, in the order they were written.
        notes: what the reader should know: what was left out, and why.
        origin: what the predictions came from, by name, such as the model.
    """

    name: str
    out: Path
    options: ProductOptions
    grid: Grid
    bins: Bins | None
    cell: tuple[float, str] | None
    bodies: Bodies
    maps: SaltMaps
    meshes: list[Mesh]
    sections: list[ExampleSection]
    picks: dict[str, int]
    files: list[Path]
    notes: list[str]
    origin: dict[str, str]

    @property
    def threshold(self) -> float:
        """Probability from which a cell is salt."""
        return self.options.threshold or THRESHOLD

    def to_json(self) -> dict[str, Any]:
        """The facts, as `products.json` keeps them."""
        return {
            "diapir": __version__,
            "name": self.name,
            "origin": self.origin,
            "options": asdict(self.options),
            "bodies": len(self.bodies),
            "cells": int(self.bodies.table["cells"].sum()),
            "bodies_left_out": self.bodies.left_out,
            "cells_left_out": self.bodies.left_out_cells,
            "cell_size": self.cell[0] if self.cell else None,
            "cell_unit": self.cell[1] if self.cell else None,
            "traces_with_salt": int(self.maps.salt.sum()),
            "traces_with_overhang": int((self.maps.intervals > 1).sum()),
            "picks": self.picks,
            "meshes": [
                {
                    "body": mesh.body,
                    "step": mesh.step,
                    "triangles": len(mesh.surface.triangles),
                }
                for mesh in self.meshes
            ],
            "notes": self.notes,
            "files": [path.relative_to(self.out).as_posix() for path in self.files],
        }


def make_products(
    predictions: Predictions,
    out: Path,
    options: ProductOptions | None = None,
    *,
    name: str = "survey",
    survey: Survey | None = None,
    scale: float | None = None,
    origin: Mapping[str, str] | None = None,
    chunk: tuple[int, int] | None = None,
    notes: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
) -> Products:
    """Make horizons, bodies, meshes and example sections.

    The predictions are read once, and once more for meshes, a block at a time. Files that an
    earlier call has written into `out` are replaced, and those that are made no more removed.

    Args:
        predictions: their array `probability`.
        out: folder to write to; made where it is not there.
        options: how.
        name: of the survey.
        survey: its amplitudes, for pictures of sections; None draws the probability.
        scale: amplitude of full white in pictures.
        origin: what the predictions came from, by name.
        chunk: traces (inlines, crosslines) that the store keeps together.
        notes: what the reader should know besides.
        progress: called with blocks done and blocks there are.

    Raises:
        DataError: an earlier `products.json` cannot be read.
        MissingDependencyError: a format needs a package that is not installed.
        OSError: the disk is full or not writable.
    """
    grid = predictions.grid
    section = 1 in (len(grid.inlines), len(grid.crosslines))
    options = _settled(options or ProductOptions(), section)
    if "irap" in (options.formats or ()):
        _need_surfio()
    out.mkdir(parents=True, exist_ok=True)
    earlier = _earlier_files(out)
    bins = fit_bins(grid)
    maker = _Maker(predictions, out, options, bins, chunk, section, progress)
    with tempfile.TemporaryDirectory(prefix=".intervals-", dir=out) as scratch:
        intervals, bodies = maker.label(Path(scratch))
        maps = salt_maps(intervals, grid.shape[:2])
        maker.warn_of_coordinates()
        meshes = maker.meshes(intervals, bodies)
        maker.horizons(intervals, maps, bodies)
        maker.segy(intervals, survey, name)
        wanted = choose(grid, maps, bodies)
        sections = cut(wanted, predictions, intervals, survey, scale)
    cell = cell_size(grid, bins, options.velocity)
    maker.files.append(write_table(out / "bodies.csv", bodies, grid, bins, cell))
    (out / "sections").mkdir(exist_ok=True)
    maker.files += [write_picture(out / "sections", shown) for shown in sections]
    products = Products(
        name=name,
        out=out,
        options=options,
        grid=grid,
        bins=bins,
        cell=cell,
        bodies=bodies,
        maps=maps,
        meshes=meshes,
        sections=sections,
        picks=maker.picks,
        files=maker.files,
        notes=[*notes, *maker.notes],
        origin=dict(origin or {}),
    )
    for path in earlier - set(maker.files):
        path.unlink(missing_ok=True)
    replace_file(out / "products.json", json.dumps(products.to_json(), indent=2) + "\n")
    return products


def _settled(options: ProductOptions, section: bool) -> ProductOptions:
    """The options with what was left open decided."""
    least = MIN_CELLS_SECTION if section else MIN_CELLS_VOLUME
    formats = SECTION_FORMATS if section else VOLUME_FORMATS
    return replace(
        options,
        threshold=THRESHOLD if options.threshold is None else options.threshold,
        min_cells=least if options.min_cells is None else options.min_cells,
        formats=formats if options.formats is None else options.formats,
    )


class _Maker:
    """The steps, with what they leave: files, picks and notes."""

    def __init__(
        self,
        predictions: Predictions,
        out: Path,
        options: ProductOptions,
        bins: Bins | None,
        chunk: tuple[int, int] | None,
        section: bool,
        progress: Progress,
    ) -> None:
        self._predictions = predictions
        self._grid = predictions.grid
        self._out = out
        self._options = options
        self._formats = options.formats or ()
        self._bins = bins
        self._section = section
        self._blocks = list(blocks(self._grid, chunk=chunk))
        self._wants_meshes = bool(
            set(self._formats) & set(MESH_FORMATS) and options.meshes and not section
        )
        self._progress = progress
        self._done = 0
        self.files: list[Path] = []
        self.picks: dict[str, int] = {}
        self.notes: list[str] = []

    def label(self, scratch: Path) -> tuple[IntervalFile, Bodies]:
        """Find salt, leave out what is small, fill the rest."""
        least = self._options.min_cells or 1
        threshold = self._options.threshold or THRESHOLD
        intervals = IntervalFile(scratch / "intervals")
        for block in self._blocks:
            probability = self._predictions.read("probability", *block.slices)
            probability[~self._grid.live[block.slices]] = float("nan")
            intervals.append(block, find_intervals(probability, block, threshold))
            self._step()
        bodies = label(intervals, self._grid.shape, least)
        if self._options.fill != "none":
            filled = IntervalFile(scratch / "filled")
            for block, found in intervals:
                kept = found[found["body"] > 0]
                filled.append(block, fill_intervals(kept, self._options.fill))
            before = bodies
            again = label(filled, self._grid.shape, least)
            intervals = filled
            bodies = Bodies(again.table, before.left_out, before.left_out_cells)
        if not len(bodies):
            self.notes.append(
                f"No salt of at least {least:,} cells from a probability of {threshold:g}."
            )
        return intervals, bodies

    def warn_of_coordinates(self) -> None:
        """Say where coordinates are no regular grid, which areas, volumes and meshes assume."""
        bins = self._bins
        if bins and bins.area and bins.misfit > MISFIT * bins.bin_size:
            self.notes.append(
                f"Coordinates lie {bins.misfit:.3g} m (root mean square) from a regular grid: "
                "horizons have those of the file; areas, volumes and meshes take the regular grid."
            )

    def meshes(self, intervals: IntervalFile, bodies: Bodies) -> list[Mesh]:
        """Surfaces, and their files."""
        if not self._wants_meshes:
            if self._section and set(self._formats) & set(MESH_FORMATS):
                self.notes.append("No meshes: a section encloses no volume.")
            return []
        made = body_meshes(
            self._predictions,
            intervals,
            bodies,
            self._bins,
            threshold=self._options.threshold or THRESHOLD,
            count=self._options.meshes,
            progress=self._step,
        )
        if len(bodies) > len(made):
            self.notes.append(f"Meshes of the {len(made)} largest of {len(bodies)} bodies.")
        folder = self._out / "meshes"
        folder.mkdir(exist_ok=True)
        across = "easting, northing" if self._bins else "crossline number, inline number"
        for mesh in made:
            comment = f"Salt body {mesh.body}, diapir {__version__}. {across}, elevation in "
            comment += f"{self._grid.unit}, negative down"
            for form in MESH_FORMATS:
                if form in self._formats:
                    path = folder / f"body-{mesh.body:03d}"
                    self.files.append(write_mesh(path, mesh.surface, comment, form))
        return made

    def horizons(self, intervals: IntervalFile, maps: SaltMaps, bodies: Bodies) -> None:
        """Files of top, base and all crossings."""
        if not len(bodies):
            return
        writer = HorizonWriter(self._grid, self._bins)
        folder = self._out / "horizons"
        folder.mkdir(exist_ok=True)
        forms = self._horizon_formats(writer)
        for name, picks in (("top", maps.top), ("base", maps.base)):
            for form in forms:
                path, self.picks[name] = writer.write_map(folder / name, picks, form)
                self.files.append(path)
            if "irap" in self._formats and self._bins and not self._irap_obstacle():
                path = folder / f"{name}.irap"
                write_irap(path, picks, self._grid, self._bins)
                self.files.append(path)
        if "opendtect" in forms:
            path, self.picks["crossings"] = writer.write_crossings(
                folder / "crossings", crossings(intervals)
            )
            self.files.append(path)
        obstacle = self._irap_obstacle() if "irap" in self._formats else None
        if obstacle:
            self.notes.append(f"No IRAP grids: {obstacle}.")
        if self.files and forms:
            path = folder / "README.txt"
            replace_file(path, read_me(self._grid, forms, writer.has_coordinates))
            self.files.append(path)
        for name, picks in (("top", maps.top), ("base", maps.base)):
            unseen = int((maps.salt & (picks != picks)).sum())
            if unseen:
                self.notes.append(
                    f"{unseen:,} traces have no {name}: salt reaches the end of the record or a "
                    "gap there."
                )

    def segy(self, intervals: IntervalFile, survey: Survey | None, name: str) -> None:
        """The number of the body in each cell, with the headers of the survey's own file."""
        if "segy" not in self._formats:
            return
        if survey is None or not is_segy(survey):
            self.notes.append("No SEG-Y of bodies: it takes its headers from a SEG-Y survey.")
            return

        def numbers(inlines: slice, crosslines: slice) -> NDArray[np.float32]:
            first, last, _ = inlines.indices(self._grid.shape[0])
            left, right, _ = crosslines.indices(self._grid.shape[1])
            part = Block(first, last, left, right)
            drawn = draw_bodies(intervals.within(part), part, self._grid.samples)
            return drawn.astype(np.float32)

        path = self._out / "bodies.sgy"
        remarks = [
            "NUMBER OF THE SALT BODY, 1 IS THE LARGEST, ELSE 0",
            f"MADE BY DIAPIR {__version__} FROM {name}",
            f"SALT FROM A PROBABILITY OF {self._options.threshold:g}, FILLED: {self._options.fill}",
            f"BODIES OF FEWER THAN {self._options.min_cells} CELLS ARE LEFT OUT",
        ]
        write_segy(path, segy_input(survey), self._grid.shape, numbers, remarks, slab=SEGY_SLAB)
        self.files.append(path)

    def _horizon_formats(self, writer: HorizonWriter) -> list[HorizonFormat]:
        forms: list[HorizonFormat] = [form for form in HORIZON_FORMATS if form in self._formats]
        if self._grid.kind == "2d" and "charisma" in forms:
            forms.remove("charisma")
            self.notes.append("No CHARISMA files: a line has no inline and crossline numbers.")
        if not writer.has_coordinates and "xyz" in forms:
            forms.remove("xyz")
            self.notes.append("No XYZ files: the survey has no coordinates.")
        return forms

    def _irap_obstacle(self) -> str | None:
        return irap_obstacle(self._grid, self._bins)

    def _step(self) -> None:
        self._done += 1
        self._progress(self._done, len(self._blocks) * (1 + self._wants_meshes))


def _earlier_files(out: Path) -> set[Path]:
    """Files that an earlier call has written."""
    record = out / "products.json"
    if not record.exists():
        return set()
    try:
        names = json.loads(record.read_bytes())["files"]
        paths = {(out / name).resolve() for name in names}
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{record} is no record of products",
            expected="a new folder, or one that `diapir products` has written",
            fix="remove the file, or give another folder",
        ) from None
    inside = out.resolve()
    return {out / path.relative_to(inside) for path in paths if path.is_relative_to(inside)}


def _need_surfio() -> None:
    from importlib.util import find_spec

    if find_spec("surfio") is None:
        raise MissingDependencyError("surfio", "volume")
