"""Where predictions of a survey are kept: a Zarr group, or plain NumPy files for one section.

    NAME.zarr/         zarr.json, arrays in chunks           volumes; needs Zarr
    NAME.prediction/   prediction.json, one .npy an array    sections

Arrays of `(inlines, crosslines, samples)`: `probability`, and `uncertainty` where two views were
averaged. `uint8` holds steps of 1/254, and 255 where there is no value; `float16` holds the values
themselves and NaN. The geometry lies beside them, so that a store needs no other file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.grid import Domain, Grid, Kind
from diapir.surveys.prediction.chunked_arrays import Arrays, NumpyArrays, ZarrArrays

Precision = Literal["uint8", "float16"]
FORMAT = 1
STEPS = 254
"""Steps of a probability in `uint8`."""
NOTHING = 255
"""What `uint8` holds where there is no value."""
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
        record: how the predictions came about: model, survey, options, scale.
        arrays: what holds the arrays.
        precision: how probabilities are held.
    """

    path: Path
    grid: Grid
    record: Mapping[str, Any]
    arrays: Arrays
    precision: Precision

    @property
    def names(self) -> tuple[str, ...]:
        """The predictions it holds: `probability`, and `uncertainty` where two views were."""
        return tuple(name for name in ("probability", "uncertainty") if name in self.arrays)

    @property
    def coverage(self) -> NDArray[np.bool_]:
        """Where there are live traces, `bool (I, X)`."""
        return self.grid.live

    def read(self, name: str, inlines: slice, crosslines: slice) -> NDArray[np.float32]:
        """Predictions of a part of the grid.

        Args:
            name: one of `names`.
            inlines: places along the inline axis.
            crosslines: places along the crossline axis.

        Returns:
            `float32 (inlines, crosslines, samples)` in [0, 1]; NaN where the survey has no value.
        """
        return decode(self.raw(name, inlines, crosslines))

    def raw(self, name: str, inlines: slice, crosslines: slice) -> NDArray[Any]:
        """As `read`, but as the values are held: `uint8` or `float16`."""
        return self.arrays.read(name, (inlines, crosslines))

    def write(self, name: str, inlines: slice, crosslines: slice, held: NDArray[Any]) -> None:
        """Put held values (see `encode`) in their place; whole chunks are written at once."""
        self.arrays.write(name, (inlines, crosslines), held)

    def add(self, name: str, chunks: tuple[int, int, int], dtype: str, fill: float) -> None:
        """Make an empty array on the grid, where there is none of this name."""
        if name not in self.arrays:
            self.arrays.create(name, self.grid.shape, dtype, chunks, fill)

    @property
    def fill(self) -> float:
        """What stands where there is no value."""
        return NOTHING if self.precision == "uint8" else np.nan


def encode(values: NDArray[np.float32], precision: Precision) -> NDArray[Any]:
    """Probabilities as a store holds them; what is NaN becomes no value."""
    if precision == "float16":
        return values.astype(np.float16)
    with np.errstate(invalid="ignore"):
        steps = np.rint(values * np.float32(STEPS))
    return np.where(np.isnan(steps), np.float32(NOTHING), steps).astype(np.uint8)


def decode(held: NDArray[Any]) -> NDArray[np.float32]:
    """Held values as `float32`, NaN where there is none."""
    return _VALUES[held] if held.dtype == np.uint8 else held.astype(np.float32)


def create_store(
    path: Path, grid: Grid, record: Mapping[str, Any], precision: Precision = "uint8"
) -> PredictionStore:
    """Make a store without any predictions yet.

    Args:
        path: folder that ends in `.zarr` or `.prediction`, which say the kind; there must be none.
        grid: the survey's geometry.
        record: JSON-able facts of how the predictions come about.
        precision: how probabilities are held.

    Raises:
        MissingDependencyError: a `.zarr` without the package Zarr.
        OSError: the disk is full or not writable.
    """
    arrays: Arrays = ZarrArrays.make(path) if path.suffix == ZARR else NumpyArrays.make(path)
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
            },
            "values": {
                "axes": ["inline", "crossline", "sample"],
                "uint8": f"value / {STEPS}; {NOTHING} where there is none",
            },
            "record": dict(record),
        }
    )
    return open_store(path, writable=True)


def open_store(path: Path | str, *, writable: bool = False) -> PredictionStore:
    """Open predictions that `predict_survey` has written.

    Args:
        path: folder that ends in `.zarr` or `.prediction`.
        writable: whether arrays may be added and changed.

    Raises:
        SurveyError: there are none, or they cannot be read.
        MissingDependencyError: a `.zarr` without the package Zarr.
    """
    folder = Path(path)
    kind = ZarrArrays if folder.suffix == ZARR else NumpyArrays
    arrays = kind.open(folder, writable=writable)
    description = arrays.description()
    if description.get("diapir_prediction") != FORMAT:
        raise SurveyError(
            f"{folder} holds no predictions",
            expected=f"a folder that ends in {ZARR} or {NUMPY}, as `diapir predict` writes it",
            fix="give the folder of a finished prediction",
        )
    try:
        facts = description["grid"]
        grid = Grid(
            kind=_one_of(facts["kind"], get_args(Kind)),
            inlines=arrays.read("inlines", (slice(None),)),
            crosslines=arrays.read("crosslines", (slice(None),)),
            samples=int(facts["samples"]),
            interval=float(facts["interval"]),
            start=float(facts["start"]),
            domain=_one_of(facts["domain"], get_args(Domain)),
            live=arrays.read("live", (slice(None), slice(None))).astype(bool),
            easting=arrays.read("easting", (slice(None), slice(None))),
            northing=arrays.read("northing", (slice(None), slice(None))),
        )
        precision = _one_of(description["precision"], get_args(Precision))
        return PredictionStore(folder, grid, description["record"], arrays, precision)
    except (KeyError, TypeError, ValueError) as error:
        raise SurveyError(
            f"{folder} cannot be read: {error!r}",
            expected="predictions as `diapir predict` writes them",
            fix="remove the folder and predict again",
        ) from None


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(map(str, known))}")
    return value
