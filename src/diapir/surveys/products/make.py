"""Horizons, bodies, meshes and pictures from the predictions of a survey."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from diapir.errors import MissingDependencyError, SurveyError
from diapir.files import claim, disk_errors, replace_file, writing_folder
from diapir.json_text import parse_json
from diapir.surveys.grid import Grid
from diapir.surveys.products.bins import Bins, cell_size, fit_bins
from diapir.surveys.products.bodies import Bodies, label
from diapir.surveys.products.body_choice import choose_bodies
from diapir.surveys.products.examples import ExampleSection, choose, cut
from diapir.surveys.products.fill import fill_intervals
from diapir.surveys.products.horizons import SaltMaps, salt_maps
from diapir.surveys.products.interval_file import IntervalFile
from diapir.surveys.products.intervals import Block, Predictions, blocks, find_intervals
from diapir.surveys.products.irap import MISFIT
from diapir.surveys.products.mesh_files import MESH_FORMATS
from diapir.surveys.products.meshes import Mesh, body_meshes
from diapir.surveys.products.pick_values import PlacedPicks, place_picks
from diapir.surveys.products.product_options import ProductOptions, ResolvedOptions
from diapir.surveys.products.product_writer import ProductWriter
from diapir.surveys.survey import Survey
from diapir.text import plural, significant
from diapir.version import __version__

__all__ = ["ProductOptions", "Products", "Progress", "make_products"]

RECORD = "products.json"
"""The record of what was made, which marks a folder as one that a later call may replace."""
REPORT = "report.html"
"""The page, which `diapir.reports` draws into the folder afterwards."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Products:
    """The products of a survey.

    Attributes:
        name: name of the survey.
        out: folder of the files.
        options: how they were made, with the defaults filled in.
        grid: geometry of the survey.
        bins: its bins, None where it has no coordinates.
        cell: volume (or area, in a section) of a sample and its unit, None where unknown.
        bodies: the salt bodies.
        maps: map view of salt.
        meshes: surfaces of the largest bodies, in survey coordinates.
        sections: example sections.
        picks: number of picks of each horizon: `top`, `base`, `crossings`.
        files: all files, in the order they were written.
        notes: caveats: what was left out, and why.
        origin: the model and the survey of the predictions, by name.
    """

    name: str
    out: Path
    options: ResolvedOptions
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
        """Samples of at least this probability are salt."""
        return self.options.threshold

    def size(self, samples: int) -> str:
        """Volume (or area) of some samples, such as 25 300 000 m³; empty where unknown."""
        if self.cell is None:
            return ""
        size, unit = self.cell
        return f"{significant(float(f'{size * samples:.3g}'))} {unit}"

    def to_json(self) -> dict[str, Any]:
        """The content of `products.json`."""
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
            "vertical_unit": self.grid.unit,
            "coordinate_unit": self.grid.xy_unit if self.bins else None,
            "traces_with_salt": int(self.maps.salt.sum()),
            "traces_with_overhang": self.maps.overhangs,
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
    skips: tuple[int, int] = (1, 1),
    progress: Progress = lambda done, total: None,
) -> Products:
    """Make horizons, bodies, meshes and example sections.

    The predictions are read block by block, once, and a second time for meshes. The folder is
    written whole: earlier products in `out` are replaced, or kept if this call fails. Files of
    others in `out` stay.

    Args:
        predictions: array `probability` of a survey.
        out: folder to write to; created if missing.
        options: how to make them; None means the defaults.
        name: name of the survey.
        survey: amplitudes shown in the sections; None shows the probability.
        scale: amplitude drawn white in sections; None means the 98th percentile of each section.
        origin: the model and the survey of the predictions, by name.
        chunk: inlines and crosslines of a chunk of the store.
        notes: caveats to list before those found here.
        skips: lines of the file per inline and per crossline of the predictions.
        progress: called with the blocks done and their total number.

    Raises:
        ConfigError: a body number that does not exist.
        SurveyError: snapping without amplitudes.
        DataError: `out` is not empty and holds no earlier products, is being written by another
            process, or its disk is full or not writable.
        MissingDependencyError: a format needs a package that is not installed.
    """
    grid = predictions.grid
    settings = (options or ProductOptions()).resolved(_is_section(grid), skips[0] * skips[1])
    if settings.snap and survey is None:
        raise _no_amplitudes(name)
    if "irap" in settings.formats:
        _require_surfio()
    claim(
        out,
        holds="a folder of salt products",
        ours=lambda folder: _recorded_files(folder) is not None,
        fix="move the folder away, or remove it",
    )
    steps = _Steps(predictions, chunk, settings, progress)
    bins = fit_bins(grid)
    cell = cell_size(grid, bins, settings.velocity)
    with disk_errors(out), writing_folder(out) as folder:
        writer = ProductWriter(folder, grid, bins, settings)
        with tempfile.TemporaryDirectory(prefix=".intervals-", dir=folder) as scratch:
            intervals, bodies = steps.find_salt(Path(scratch))
            moved = steps.place(salt_maps(intervals, grid.shape[:2]), survey)
            maps = moved.maps
            meshes = steps.mesh(intervals, bodies, bins)
            writer.meshes(meshes)
            if len(bodies):
                writer.horizons(intervals, maps, moved.columns, moved.remarks)
            if "segy" in settings.formats:
                writer.body_numbers(intervals, survey, name)
            sections = cut(choose(grid, maps, bodies), predictions, intervals, survey, scale)
        writer.table(bodies, cell)
        writer.sections(sections)
        products = Products(
            name=name,
            out=out,
            options=settings,
            grid=grid,
            bins=bins,
            cell=cell,
            bodies=bodies,
            maps=maps,
            meshes=meshes,
            sections=sections,
            picks=writer.picks,
            files=[out / file for file in writer.files],
            notes=[
                *notes,
                *bodies.notes,
                *_caveats(bodies, meshes, bins, settings, grid),
                *moved.remarks,
                *writer.notes,
            ],
            origin=dict(origin or {}),
        )
        _carry_over(out, folder)
        replace_file(folder / RECORD, json.dumps(products.to_json(), indent=2) + "\n")
    return products


class _Steps:
    """The two passes over the predictions, and the progress through both."""

    def __init__(
        self,
        predictions: Predictions,
        chunk: tuple[int, int] | None,
        options: ResolvedOptions,
        progress: Progress,
    ) -> None:
        self._predictions = predictions
        self._options = options
        self._blocks: list[Block] = list(blocks(predictions.grid, chunk=chunk))
        self._meshed = _meshed(options, predictions.grid)
        self._progress = progress
        self._done = 0

    def find_salt(self, scratch: Path) -> tuple[IntervalFile, Bodies]:
        """Find salt, remove small bodies, and fill the others where that was asked for."""
        grid, options = self._predictions.grid, self._options
        intervals = IntervalFile(scratch / "intervals")
        for block in self._blocks:
            probability = self._predictions.read("probability", *block.slices)
            probability[~grid.live[block.slices]] = float("nan")
            intervals.append(block, find_intervals(probability, block, options.threshold))
            self._step()
        bodies = label(intervals, grid.shape, options.min_cells)
        if options.fill == "none":
            return intervals, self._chosen(intervals, bodies)
        filled = IntervalFile(scratch / "filled")
        for block, found in intervals:
            filled.append(block, fill_intervals(found[found["body"] > 0], options.fill))
        table = label(filled, grid.shape, options.min_cells).table
        bodies = Bodies(table, bodies.left_out, bodies.left_out_cells)
        return filled, self._chosen(filled, bodies)

    def place(self, maps: SaltMaps, survey: Survey | None) -> PlacedPicks:
        """Smooth and snap the picks as asked for, and gather the values around them."""
        return place_picks(self._predictions, self._blocks, maps, self._options, survey)

    def _chosen(self, intervals: IntervalFile, bodies: Bodies) -> Bodies:
        """The bodies that were chosen, merged where that was asked for."""
        options = self._options
        crosslines = self._predictions.grid.shape[1]
        return choose_bodies(
            intervals, bodies, crosslines, keep=options.bodies, merge=options.merge
        )

    def mesh(self, intervals: IntervalFile, bodies: Bodies, bins: Bins | None) -> list[Mesh]:
        """The surfaces of the largest bodies; none where no mesh is to be written."""
        if not self._meshed:
            return []
        return body_meshes(
            self._predictions,
            intervals,
            bodies,
            bins,
            threshold=self._options.threshold,
            count=self._options.meshes,
            progress=self._step,
        )

    def _step(self) -> None:
        self._done += 1
        self._progress(self._done, len(self._blocks) * (1 + self._meshed))


def _is_section(grid: Grid) -> bool:
    """Whether a survey is a line, or a volume of one inline or crossline."""
    return 1 in grid.shape[:2]


def _meshed(options: ResolvedOptions, grid: Grid) -> bool:
    """Whether bodies get meshes, which only a volume can have."""
    wanted = set(options.formats) & set(MESH_FORMATS)
    return bool(wanted) and options.meshes > 0 and not _is_section(grid)


def _caveats(
    bodies: Bodies,
    meshes: Sequence[Mesh],
    bins: Bins | None,
    options: ResolvedOptions,
    grid: Grid,
) -> list[str]:
    """Caveats about bodies and meshes."""
    notes = []
    if not len(bodies):
        notes.append(
            f"No salt body of at least {plural(options.min_cells, 'sample')} at threshold "
            f"{options.threshold:g}."
        )
    if bins and bins.area and bins.misfit > MISFIT * bins.bin_size:
        notes.append(
            f"The coordinates deviate from a regular grid by {bins.misfit:.3g} m (RMS): horizons "
            "have the coordinates of the file; areas, volumes and meshes use the regular grid."
        )
    if _is_section(grid) and set(options.formats) & set(MESH_FORMATS):
        notes.append("No meshes: a section encloses no volume.")
    elif _meshed(options, grid) and len(bodies) > len(meshes):
        notes.append(f"Only the {len(meshes)} largest of {plural(len(bodies), 'body')} are meshed.")
    return notes


def _recorded_files(folder: Path) -> set[str] | None:
    """The files that an earlier call wrote into a folder; None where it has no such record."""
    try:
        names = parse_json((folder / RECORD).read_bytes())["files"]
        return {str(name) for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _carry_over(out: Path, folder: Path) -> None:
    """Copy files of others from the folder that is about to be replaced into the new one."""
    replaced = (_recorded_files(out) or set()) | {RECORD, REPORT}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out)
        if path.is_dir() and not path.is_symlink():
            continue
        if name.as_posix() not in replaced and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / name, follow_symlinks=False)


def _no_amplitudes(name: str) -> SurveyError:
    return SurveyError(
        f"--snap is given, but the seismic amplitudes of {name} cannot be read",
        expected="the survey file where it was when it was predicted, unchanged",
        fix="move the file back, or leave --snap out",
    )


def _require_surfio() -> None:
    from importlib.util import find_spec

    if find_spec("surfio") is None:
        raise MissingDependencyError("surfio", "volume")
