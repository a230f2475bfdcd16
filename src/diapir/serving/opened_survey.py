"""An opened survey: its sections, read in blocks of columns when they are asked for."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from diapir.serving.byte_cache import ByteCache
from diapir.serving.opened_section import Axis, Step, number_or_none
from diapir.serving.request_errors import not_found
from diapir.serving.section_levels import COLUMNS, Bytes, to_bytes
from diapir.surveys import PERCENTILE, Survey, percentile

SLICE_VALUES = 2**25
"""Samples read at most for a slice: of a larger survey every n-th line is read."""
SLICES = 8
"""Neighbouring slices kept from one reading."""
_MAP_LINES = 400
"""Lines of the map at most, in each direction."""


@dataclass(eq=False)
class OpenedSurvey:
    """A survey whose sections are read on demand.

    Attributes:
        id: stands for its file in addresses.
        survey: the opened survey.
        version: changes when the file changes.
        cache: keeps what was read.
    """

    id: str
    survey: Survey
    version: str
    cache: ByteCache
    kind: Literal["survey"] = "survey"
    _slices: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def clip(self) -> float:
        """Amplitude that is shown as full black and white."""
        return percentile(self.survey, PERCENTILE) or 1.0

    @property
    def path(self) -> Path:
        """The file or store."""
        return self.survey.path

    def counts(self) -> dict[Axis, int]:
        """Number of sections along each axis."""
        inlines, crosslines, samples = self.survey.grid.shape
        if self.survey.grid.kind == "2d":
            return {"inline": 1}
        return {"inline": inlines, "crossline": crosslines, "slice": samples}

    def check(self, axis: str, index: int) -> Axis:
        """The axis.

        Raises:
            RequestError: there is no such section.
        """
        for name, count in self.counts().items():
            if name == axis and 0 <= index < count:
                return name
        raise not_found(f"section {axis} {index} of {self.survey.name}")

    def step(self, axis: Axis) -> Step:
        """Lines left out of a slice."""
        if axis != "slice":
            return Step()
        inlines, crosslines, samples = self.survey.grid.shape
        rows = columns = 1
        while -(-inlines // rows) * -(-crosslines // columns) * samples > SLICE_VALUES:
            if -(-inlines // rows) >= -(-crosslines // columns):
                rows *= 2
            else:
                columns *= 2
        return Step(rows, columns)

    def shape(self, axis: Axis) -> tuple[int, int]:
        """Rows and columns of a section."""
        inlines, crosslines, samples = self.survey.grid.shape
        step = self.step(axis)
        return {
            "inline": (samples, crosslines),
            "crossline": (samples, inlines),
            "slice": (-(-inlines // step.rows), -(-crosslines // step.columns)),
        }[axis]

    def amplitudes(self, axis: Axis, index: int, number: int) -> NDArray[np.float32]:
        """Amplitudes of block `number` of a section, `float32 (rows, columns)`."""
        key = (self.id, self.version, "values", axis, index, number)
        found: NDArray[np.float32] = self.cache.of(key, lambda: self._read(axis, index, number))
        return found

    def block(self, axis: Axis, index: int, number: int) -> Bytes:
        """The same as bytes."""
        return to_bytes(self.amplitudes(axis, index, number), self.clip)

    def section(self, axis: Axis, index: int) -> NDArray[np.float32]:
        """A whole vertical section, `float32 (traces, samples)`."""
        one, every = slice(index, index + 1), slice(None)
        slices = (one, every) if axis == "inline" else (every, one)
        read: NDArray[np.float32] = self.survey.read(*slices)
        return read.reshape(-1, self.survey.grid.samples)

    def _read(self, axis: Axis, index: int, number: int) -> NDArray[np.float32]:
        part = slice(number * COLUMNS, (number + 1) * COLUMNS)
        one = slice(index, index + 1)
        if axis == "inline":
            return np.asarray(self.survey.read(one, part)[0].T)
        if axis == "crossline":
            return np.asarray(self.survey.read(part, one)[:, 0].T)
        return self._slice(index)[:, part]

    def _slice(self, index: int) -> NDArray[np.float32]:
        """A slice; its neighbours are kept as well, as all are read with it."""

        def key(sample: int) -> tuple[Any, ...]:
            return (self.id, self.version, "slice", sample)

        with self._slices:
            found: NDArray[np.float32] | None = self.cache.get(key(index))
            if found is not None:
                return found
            step, (rows, columns) = self.step("slice"), self.shape("slice")
            first = index // SLICES * SLICES
            kept = np.empty(
                (min(SLICES, self.survey.grid.samples - first), rows, columns), np.float32
            )
            slab = max(1, 2**22 // (columns * self.survey.grid.samples))
            for row in range(0, rows, slab):
                lines = slice(row * step.rows, (row + slab) * step.rows, step.rows)
                read = self.survey.read(lines, slice(None, None, step.columns))
                kept[:, row : row + slab] = np.moveaxis(read[:, :, first : first + SLICES], 2, 0)
            for sample, one in enumerate(kept, first):
                self.cache.put(key(sample), one)
            return np.asarray(kept[index - first])

    def describe(self) -> dict[str, Any]:
        """Axes, units and notes."""
        grid = self.survey.grid
        line = grid.kind == "2d"
        axes = {
            "crossline": {
                "name": "CDP" if line else "crossline",
                "numbers": grid.crosslines.tolist(),
            },
            "inline": {"name": "inline", "numbers": grid.inlines.tolist()},
        }
        return {
            "id": self.id,
            "kind": "line" if line else "volume",
            "name": self.survey.name,
            "file": self.path.name,
            "shape": list(grid.shape),
            "axes": axes,
            "vertical": {
                "start": grid.start,
                "interval": grid.interval,
                "unit": grid.unit,
                "domain": grid.domain,
            },
            "sections": self.counts(),
            "clip": self.clip,
            "percentile": PERCENTILE,
            "notes": list(self.survey.notes),
            "step": vars(self.step("slice")) if not line else vars(Step()),
            "live": int(grid.live.sum()),
            "map": self._map(),
        }

    def _map(self) -> dict[str, Any] | None:
        """Positions of the corners, or of traces of a line; None without coordinates."""
        grid = self.survey.grid
        if not np.isfinite(grid.easting).any():
            return None
        every = [max(1, -(-size // _MAP_LINES)) for size in grid.shape[:2]]
        rows = np.unique([*range(0, grid.shape[0], every[0]), grid.shape[0] - 1])
        columns = np.unique([*range(0, grid.shape[1], every[1]), grid.shape[1] - 1])
        if grid.kind == "3d":  # lines are straight: their ends say where they are
            rows, columns = rows[[0, -1]], columns[[0, -1]]
        points = [
            [
                [
                    number_or_none(grid.easting[row, column]),
                    number_or_none(grid.northing[row, column]),
                ]
                for column in columns
            ]
            for row in rows
        ]
        return {"unit": grid.xy_unit, "points": points}

    def forget(self) -> None:
        """Drop what was kept of it; the file is released when nobody reads it any more."""
        self.cache.drop(self.id)
