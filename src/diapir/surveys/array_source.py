"""Arrays as surveys: amplitudes by inline, crossline and sample, in a NumPy file or Zarr store."""

from __future__ import annotations

import tokenize
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.grid import Domain, Grid
from diapir.surveys.segy import refusals
from diapir.surveys.survey import Allowance, check_amplitudes

_PIECE = 2**22
"""Samples that are looked at at once to find dead traces."""


class Values(Protocol):
    """What NumPy's mapped arrays and Zarr's arrays have in common."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def dtype(self) -> Any:
        """Kind of the numbers."""
        ...

    def __getitem__(self, place: tuple[slice, ...]) -> Any: ...


@dataclass(frozen=True)
class Frame:
    """What is known of the geometry of an array; what is None is counted from 1.

    Attributes:
        inlines: `int64 (I,)`.
        crosslines: `int64 (X,)`; of a line its CDP numbers.
        interval: between samples, in ms or m.
        start: of the first sample.
        domain: what runs down.
        live: `bool (I, X)` where traces are; None to look for zeros.
        easting: `float64 (I, X)`.
        northing: `float64 (I, X)`.
        notes: what is odd.
    """

    inlines: NDArray[np.int64] | None = None
    crosslines: NDArray[np.int64] | None = None
    interval: float | None = None
    start: float = 0.0
    domain: Domain = "unknown"
    live: NDArray[np.bool_] | None = None
    easting: NDArray[np.float64] | None = None
    northing: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = field(default=())


class ArraySurvey:
    """An array of amplitudes.

    Args:
        path: where it comes from.
        values: `(inlines, crosslines, samples)`, or `(traces, samples)` of a line; real numbers.
        frame: its geometry.
        domain: what runs down, instead of what `frame` says.
        interval: between samples, likewise.
        allow: refusals that do not apply.
        progress: called with inlines looked at and all while dead traces are looked for.

    Raises:
        SurveyError: an array of another kind, or one that cannot be used.
    """

    def __init__(
        self,
        path: Path,
        values: Values,
        frame: Frame,
        *,
        domain: Domain | None = None,
        interval: float | None = None,
        allow: Collection[Allowance] = (),
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.path = path
        self.name = path.stem
        self._values: Values | None = values
        self._allow = tuple(sorted(allow))
        shape = values.shape
        if np.dtype(values.dtype).kind not in "fiu" or len(shape) not in (2, 3) or 0 in shape:
            raise SurveyError(
                f"{path} holds {values.dtype} of the shape {shape}",
                expected="real numbers of (inlines, crosslines, samples), or (traces, samples)",
                fix="save the amplitudes as such an array",
            )
        self._line = len(shape) == 2
        rows, columns, samples = (1, *shape) if self._line else shape
        notes = list(frame.notes)
        spacing = frame.interval if interval is None else interval
        if spacing is None:
            notes.append("the sample interval is not known and counted as 1; give it by --interval")
        elif not spacing > 0:
            raise refusals.no_interval(path)
        nowhere = np.full((rows, columns), np.nan)
        numbers = frame.inlines if frame.inlines is not None else 1 + np.arange(rows)
        live = self._find_live(rows, columns, progress) if frame.live is None else frame.live
        self.grid = Grid(
            kind="2d" if self._line else "3d",
            inlines=np.zeros(1, np.int64) if self._line else numbers,
            crosslines=1 + np.arange(columns) if frame.crosslines is None else frame.crosslines,
            samples=samples,
            interval=1.0 if spacing is None else spacing,
            start=frame.start,
            domain=domain or frame.domain,
            live=live,
            easting=nowhere if frame.easting is None else frame.easting,
            northing=nowhere if frame.northing is None else frame.northing,
        )
        self.notes = tuple(notes)
        check_amplitudes(self, allow)

    def read(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Amplitudes of a part of the grid, as `Survey.read`."""
        found = self._part(inlines, crosslines)
        found[~np.isfinite(found)] = np.nan
        found[~self.grid.live[inlines, crosslines]] = np.nan
        return found

    def spec(self) -> dict[str, Any]:
        """Arguments of `open_survey`, as `Survey.spec`."""
        return {
            "path": str(self.path.resolve()),
            "domain": self.grid.domain,
            "interval": self.grid.interval,
            "allow": list(self._allow),
        }

    def close(self) -> None:
        """Let go of the array."""
        self._values = None

    def _part(self, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        if self._values is None:
            raise ValueError(f"{self.path} is closed")
        place = (crosslines, slice(None)) if self._line else (inlines, crosslines, slice(None))
        with np.errstate(over="ignore"):
            part = np.array(self._values[place], np.float32)
        return part[None] if self._line else part

    def _find_live(
        self, rows: int, columns: int, progress: Callable[[int, int], None] | None
    ) -> NDArray[np.bool_]:
        """Traces with any finite sample other than 0, found in pieces of bounded size."""
        assert self._values is not None  # noqa: S101 - just opened
        samples = self._values.shape[-1]
        live = np.zeros((rows, columns), np.bool_)
        across = max(1, min(columns, _PIECE // samples))
        down = max(1, _PIECE // (samples * columns))
        for row in range(0, rows, down):
            for column in range(0, columns, across):
                part = slice(row, row + down), slice(column, column + across)
                values = self._part(*part)
                live[part] = (np.isfinite(values) & (values != 0)).any(axis=-1)
            if progress is not None:
                progress(min(row + down, rows), rows)
        return live


def open_numpy(path: Path) -> Values:
    """Map an `.npy` file, without reading it.

    Raises:
        SurveyError: it is damaged, or holds objects.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError, SyntaxError, OverflowError, tokenize.TokenError) as error:
        raise SurveyError(
            f"{path} cannot be read as an array: {error}",
            expected="an .npy file of real numbers",
            fix="save the amplitudes again with numpy.save",
        ) from None
