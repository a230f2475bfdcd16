"""The files of survey products: horizons, meshes, body numbers, the table of bodies, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.files import replace_file
from diapir.surveys.grid import Grid
from diapir.surveys.prediction.exports import is_segy, segy_input
from diapir.surveys.products.bins import Bins
from diapir.surveys.products.bodies import Bodies
from diapir.surveys.products.body_table import write_table
from diapir.surveys.products.examples import ExampleSection, write_picture
from diapir.surveys.products.horizon_files import (
    HORIZON_FORMATS,
    HorizonFormat,
    HorizonWriter,
    PickColumn,
    read_me,
)
from diapir.surveys.products.horizons import SaltMaps, crossings
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import Block, draw_bodies
from diapir.surveys.products.irap import irap_obstacle, write_irap
from diapir.surveys.products.mesh_files import MESH_FORMATS, write_mesh
from diapir.surveys.products.meshes import Mesh, mesh_axes
from diapir.surveys.products.product_options import ResolvedOptions
from diapir.surveys.segy.segy_writer import write_segy
from diapir.surveys.survey import Survey
from diapir.text import plural
from diapir.version import __version__

_NO_COLUMNS: Mapping[str, Sequence[PickColumn]] = {}
SEGY_SLAB = 8
"""Inlines of body numbers held in memory at once for SEG-Y: 8 bytes a sample."""


class ProductWriter:
    """Writes the products of one survey into a folder, in the formats that were asked for.

    Args:
        folder: an existing folder.
        grid: geometry of the survey.
        bins: its bins; None where it has no coordinates.
        options: formats, and what the SEG-Y text header says.

    Attributes:
        files: files written so far, relative to `folder`, in order.
        picks: number of picks of each horizon: `top`, `base`, `crossings`.
        notes: what could not be written, and why.
    """

    def __init__(
        self, folder: Path, grid: Grid, bins: Bins | None, options: ResolvedOptions
    ) -> None:
        self._folder = folder
        self._grid = grid
        self._bins = bins
        self._options = options
        self.files: list[str] = []
        self.picks: dict[str, int] = {}
        self.notes: list[str] = []

    def meshes(self, meshes: Iterable[Mesh]) -> None:
        """Write the surface of each body."""
        axes = mesh_axes(self._grid, self._bins).words(self._bins)
        for mesh in meshes:
            comment = f"Salt body {mesh.body}, diapir {__version__}. {axes}"
            for form in MESH_FORMATS:
                if form in self._options.formats:
                    path = self._inside("meshes") / f"body-{mesh.body:03d}"
                    self._add(write_mesh(path, mesh.surface, comment, form))

    def horizons(
        self,
        intervals: IntervalFile,
        maps: SaltMaps,
        columns: Mapping[str, Sequence[PickColumn]] = _NO_COLUMNS,
        remarks: Sequence[str] = (),
    ) -> None:
        """Write top salt, base salt and all crossings.

        Args:
            intervals: labelled intervals.
            maps: map view of salt.
            columns: further columns of `top` and `base`.
            remarks: how picks were moved, for the README.
        """
        folder = self._inside("horizons")
        writer = HorizonWriter(self._grid, self._bins)
        forms = self._horizon_formats(writer)
        for name, picks in (("top", maps.top), ("base", maps.base)):
            for form in forms:
                path, self.picks[name] = writer.write_map(
                    folder / name, picks, form, columns.get(name, ())
                )
                self._add(path)
        if "irap" in self._options.formats:
            self._irap(folder, maps, columns)
        if "opendtect" in forms:
            path, self.picks["crossings"] = writer.write_crossings(
                folder / "crossings", crossings(intervals)
            )
            self._add(path)
        if forms:
            path = folder / "README.txt"
            text = read_me(
                self._grid, forms, writer.has_coordinates, columns.get("top", ()), remarks
            )
            replace_file(path, text)
            self._add(path)
        for name, picks in (("top", maps.top), ("base", maps.base)):
            open_ended = int((maps.salt & np.isnan(picks)).sum())
            if open_ended:
                self.notes.append(
                    f"{plural(open_ended, 'trace')} with salt have no {name} pick: the salt reaches"
                    " the end of the record or a gap."
                )

    def body_numbers(self, intervals: IntervalFile, survey: Survey | None, name: str) -> None:
        """Write the body number of each sample as SEG-Y, with the headers of the survey's file."""
        if survey is None or not is_segy(survey):
            self.notes.append(
                "No SEG-Y of body numbers: its headers are copied from a SEG-Y survey."
            )
            return
        shape = self._grid.shape

        def numbers(inlines: slice, crosslines: slice) -> NDArray[np.float32]:
            first, last, _ = inlines.indices(shape[0])
            left, right, _ = crosslines.indices(shape[1])
            part = Block(first, last, left, right)
            drawn = draw_bodies(intervals.within(part), part, shape[2])
            return drawn.astype(np.float32)

        path = self._folder / "bodies.sgy"
        remarks = [
            "NUMBER OF THE SALT BODY, 1 IS THE LARGEST, 0 IS NO SALT",
            f"MADE BY DIAPIR {__version__} FROM {name}",
            f"SALT AT PROBABILITY >= {self._options.threshold:g}, FILLED: {self._options.fill}",
            f"BODIES OF FEWER THAN {self._options.min_cells} SAMPLES REMOVED",
        ]
        write_segy(path, segy_input(survey), shape, numbers, remarks, slab=SEGY_SLAB)
        self._add(path)

    def table(self, bodies: Bodies, cell: tuple[float, str] | None) -> None:
        """Write `bodies.csv`."""
        path = self._folder / "bodies.csv"
        self._add(write_table(path, bodies, self._grid, self._bins, cell))

    def sections(self, sections: Sequence[ExampleSection]) -> None:
        """Write the picture of each section."""
        for section in sections:
            self._add(write_picture(self._inside("sections"), section))

    def _irap(
        self, folder: Path, maps: SaltMaps, columns: Mapping[str, Sequence[PickColumn]]
    ) -> None:
        obstacle = irap_obstacle(self._grid, self._bins)
        if obstacle or self._bins is None:
            self.notes.append(f"No IRAP grids: {obstacle}.")
            return
        for name, picks in (("top", maps.top), ("base", maps.base)):
            path = folder / f"{name}.irap"
            write_irap(path, picks, self._grid, self._bins)
            self._add(path)
            for column in columns.get(name, ()):
                if not column.csv_only:
                    path = folder / f"{name}_{column.name}.irap"
                    values = column.values.astype(np.float32)
                    write_irap(path, values, self._grid, self._bins, attribute=True)
                    self._add(path)

    def _horizon_formats(self, writer: HorizonWriter) -> list[HorizonFormat]:
        """The horizon formats that were asked for and that this survey can have."""
        forms: list[HorizonFormat] = [
            form for form in HORIZON_FORMATS if form in self._options.formats
        ]
        if self._grid.kind == "2d" and "charisma" in forms:
            forms.remove("charisma")
            self.notes.append("No CHARISMA files: a line has no inline and crossline numbers.")
        if not writer.has_coordinates and "xyz" in forms:
            forms.remove("xyz")
            self.notes.append("No XYZ files: the survey has no coordinates.")
        return forms

    def _inside(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _add(self, path: Path) -> None:
        self.files.append(path.relative_to(self._folder).as_posix())
