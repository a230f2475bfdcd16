"""The store of a survey's predictions: a Zarr group, or NumPy files for a single section.

    NAME.zarr/         zarr.json, chunked arrays              volumes; needs Zarr
    NAME.prediction/   prediction.json, one .npy per array    sections

Arrays `(inlines, crosslines, samples)`: `probability`, and `uncertainty` where two views were
averaged. `uint8` holds steps of 1/254, and 255 for no value; `float16` holds the values themselves
and NaN. The store holds the geometry as well, so that it needs no other file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from diapir.errors import SurveyError
from diapir.scratch import remove_stale, scratch_name
from diapir.surveys.grid import Domain, Grid, Kind
from diapir.surveys.hints import LengthUnit
from diapir.surveys.prediction.chunked_arrays import Arrays, NumpyArrays, ZarrArrays
from diapir.surveys.prediction.record import PredictionRecord
from diapir.surveys.prediction.survey_options import Precision
from diapir.surveys.units import XyUnit

FORMAT = 1
STEPS = 254
"""Steps of a probability in `uint8`."""
NOTHING = 255
"""Value in `uint8` for no value."""
ZARR, NUMPY = ".zarr", ".prediction"
"""Suffixes of the two kinds of store."""

_VALUES = np.arange(256, dtype=np.float32) / np.float32(STEPS)
_VALUES[NOTHING] = np.nan
_AXES = ("inlines", "crosslines")
_MAPS = ("live", "easting", "northing")


@dataclass(frozen=True)
class PredictionStore:
    """Predictions on the grid of a survey.

    Attributes:
        path: its folder.
        grid: the survey's geometry.
        record: how the predictions were made.
        arrays: the arrays in the folder.
        precision: type of the stored probabilities.
    """

    path: Path
    grid: Grid
    record: PredictionRecord
    arrays: Arrays
    precision: Precision

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the predictions: `probability`, and with two views `uncertainty`."""
        return tuple(name for name in ("probability", "uncertainty") if name in self.arrays)

    @property
    def coverage(self) -> NDArray[np.bool_]:
        """`bool (I, X)`, True where there is a live trace."""
        return self.grid.live

    def read(self, name: str, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Read predictions of a part of the grid.

        Args:
            name: one of `names`.
            inlines: indices along the inline axis.
            crosslines: indices along the crossline axis.

        Returns:
            `float32 (inlines, crosslines, samples)` in [0, 1]; NaN where the survey has no value.
        """
        return decode(self.raw(name, inlines, crosslines))

    def raw(self, name: str, inlines: slice, crosslines: slice) -> NDArray[Any]:
        """Read stored values, `uint8` or `float16`, of a part of the grid; see `read`."""
        return self.arrays.read(name, (inlines, crosslines))

    def write(self, name: str, inlines: slice, crosslines: slice, stored: NDArray[Any]) -> None:
        """Write stored values (see `encode`) of a part of the grid, in whole chunks."""
        self.arrays.write(name, (inlines, crosslines), stored)

    def add(
        self,
        name: str,
        chunks: tuple[int, int, int],
        dtype: str,
        fill: float,
        shards: tuple[int, int, int] | None = None,
    ) -> None:
        """Create an array on the grid, filled with `fill`, unless it exists."""
        if name not in self.arrays:
            self.arrays.create(name, self.grid.shape, dtype, chunks, fill, shards)

    def update_record(self, **changes: Any) -> None:
        """Change fields of the record on disk, once the predictions are known.

        Args:
            changes: fields of `PredictionRecord` and their new values.
        """
        record = self.record.model_copy(update=changes).model_dump(mode="json")
        self.arrays.describe(self.arrays.description() | {"record": record})

    @property
    def fill(self) -> float:
        """The stored value that means no value."""
        return NOTHING if self.precision == "uint8" else np.nan


def encode(values: NDArray[np.float32], precision: Precision) -> NDArray[Any]:
    """Probabilities as stored values; NaN becomes no value."""
    if precision == "float16":
        return values.astype(np.float16)
    steps = values * np.float32(STEPS)
    np.rint(steps, out=steps)
    np.fmin(steps, np.float32(NOTHING), out=steps)  # which takes the place of NaN
    return steps.astype(np.uint8)


def decode(stored: NDArray[Any]) -> NDArray[np.float32]:
    """Stored values as `float32` probabilities; NaN for no value."""
    return _VALUES[stored] if stored.dtype == np.uint8 else stored.astype(np.float32)


def create_store(
    path: Path, grid: Grid, record: PredictionRecord, precision: Precision = "uint8"
) -> PredictionStore:
    """Create a store without any predictions yet, whole or not at all.

    Args:
        path: folder that does not exist yet; its suffix `.zarr` or `.prediction` decides the kind.
        grid: the survey's geometry.
        record: how the predictions are made.
        precision: type of the stored probabilities.

    Raises:
        MissingDependencyError: a `.zarr` without the package Zarr.
        OSError: the disk is full or not writable.
    """
    remove_stale(path)
    scratch = scratch_name(path)
    kind: type[Arrays] = ZarrArrays if path.suffix == ZARR else NumpyArrays
    try:
        _fill(kind.make(scratch), grid, record, precision)
        scratch.rename(path)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return open_store(path, writable=True)


def _fill(arrays: Arrays, grid: Grid, record: PredictionRecord, precision: Precision) -> None:
    """Write the geometry and the description of a new store."""
    for name in (*_AXES, *_MAPS):
        values = getattr(grid, name)
        kept = values.astype(np.uint8) if values.dtype == bool else values
        arrays.create(name, kept.shape, kept.dtype.name, kept.shape, 0)
        arrays.write(name, tuple(slice(None) for _ in kept.shape), kept)
    arrays.describe(
        {
            "diapir_prediction": FORMAT,
            "precision": precision,
            "grid": {
                "kind": grid.kind,
                "samples": grid.samples,
                "interval": grid.interval,
                "start": grid.start,
                "domain": grid.domain,
                "depth_unit": grid.depth_unit,
                "xy_unit": grid.xy_unit,
            },
            "values": {
                "axes": ["inline", "crossline", "sample"],
                "uint8": f"value / {STEPS}; {NOTHING} where there is none",
            },
            "record": record.model_dump(mode="json"),
        }
    )


def open_store(path: Path | str, *, writable: bool = False, maps: bool = True) -> PredictionStore:
    """Open predictions that `predict_survey` has written.

    Args:
        path: folder with the suffix `.zarr` or `.prediction`.
        writable: whether arrays may be added and changed.
        maps: whether live traces and coordinates are read, which take 17 bytes a trace. If not, the
            grid has no live trace and no known coordinate.

    Raises:
        SurveyError: the folder holds no predictions, or they cannot be read.
        MissingDependencyError: a `.zarr`, and the package Zarr is not installed.
    """
    folder = Path(path)
    kind = ZarrArrays if folder.suffix == ZARR else NumpyArrays
    arrays = kind.open(folder, writable=writable)
    description = arrays.description()
    if description.get("diapir_prediction") != FORMAT:
        raise SurveyError(
            f"{folder} holds no predictions",
            expected=f"a folder NAME{ZARR} or NAME{NUMPY} written by `diapir predict`",
            fix="give the folder of a finished prediction",
        )
    try:
        facts = description["grid"]
        axes = [arrays.read(name, (slice(None),)) for name in _AXES]
        sides = tuple(len(axis) for axis in axes)
        for number, name in enumerate(_AXES):
            _check_form(arrays, name, sides[number : number + 1])
        for name in _MAPS:
            _check_form(arrays, name, sides)
        live, easting, northing = _read_maps(arrays) if maps else _no_maps(sides)
        grid = Grid(
            kind=_one_of(facts["kind"], get_args(Kind)),
            inlines=axes[0],
            crosslines=axes[1],
            samples=int(facts["samples"]),
            interval=float(facts["interval"]),
            start=float(facts["start"]),
            domain=_one_of(facts["domain"], get_args(Domain)),
            live=live,
            easting=easting,
            northing=northing,
            depth_unit=_one_of(facts.get("depth_unit", "m"), get_args(LengthUnit)),
            xy_unit=_one_of(facts.get("xy_unit", "m"), get_args(XyUnit)),
        )
        precision = _one_of(description["precision"], get_args(Precision))
        record = PredictionRecord.model_validate(description["record"])
        store = PredictionStore(folder, grid, record, arrays, precision)
        for name in store.names:
            _check_form(arrays, name, grid.shape, precision)
        return store
    except (KeyError, TypeError, ValueError) as error:
        raise SurveyError(
            f"{folder} cannot be read: {_reason(error)}",
            expected="predictions written by `diapir predict`",
            fix="remove the folder and predict again",
        ) from None


def _read_maps(arrays: Arrays) -> Iterator[NDArray[Any]]:
    """Live traces, eastings and northings."""
    for name in _MAPS:
        values = arrays.read(name, (slice(None), slice(None)))
        yield values.astype(bool) if name == "live" else values


def _no_maps(sides: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    """The same where they are not read, in no memory."""
    for name in _MAPS:
        yield np.broadcast_to(False if name == "live" else np.nan, sides)


def _check_form(
    arrays: Arrays, name: str, shape: tuple[int, ...], dtype: str | None = None
) -> None:
    """Refuse an array that is not that of this store: what is read from it would lie elsewhere."""
    found, kind = arrays.form(name)
    if found != shape:
        raise ValueError(f"{name} has the shape {found}, not {shape}")
    if dtype is not None and kind != dtype:
        raise ValueError(f"{name} holds {kind}, not {dtype}")


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"{value!r} is not one of {', '.join(map(str, known))}")
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"record.{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"no {error}" if isinstance(error, KeyError) else str(error)
