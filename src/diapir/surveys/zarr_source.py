"""Zarr stores as surveys: a plain array, or a group with named dimensions.

Groups are read as xarray, segysak and MDIO (version 1) write them: an array of amplitudes with
named dimensions, and one array per dimension with the numbers along it, beside coordinates and a
mask of live traces. A plain array may have the attributes `inlines`, `crosslines`, `interval`,
`start`, `domain`, `depth_unit` and `coordinate_unit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.array_source import AmplitudeArray, Frame
from diapir.surveys.grid import Domain
from diapir.surveys.hints import CoordinateUnit, LengthUnit
from diapir.surveys.zarr_files import ZarrArray, open_node, zarr_reading
from diapir.surveys.zarr_packing import PackedArray, missing_values, opened_array
from diapir.text import listing

_INLINE = ("inline", "iline", "il")
_CROSSLINE = ("crossline", "xline", "xl")
_TRACE = ("cdp", "trace", "cmp")
_VERTICAL: dict[str, Domain] = {
    "time": "time",
    "twt": "time",
    "depth": "depth",
    "sample": "unknown",
    "samples": "unknown",
}
_EASTING = ("cdp_x", "easting")
_NORTHING = ("cdp_y", "northing")
_MASK = ("trace_mask", "live")
_AMPLITUDE = ("amplitude", "seismic", "data")
_VERTICAL_UNITS: dict[str, tuple[float, LengthUnit | None]] = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), (1000.0, None)),
    **dict.fromkeys(("ft", "feet", "foot", "us survey foot", "ftus"), (1.0, "ft")),
    **dict.fromkeys(("km", "kilometre", "kilometer"), (1000.0, "m")),
}
"""Factor of units of a vertical axis, and unit of depths; others are ms or m."""
_XY_UNITS: dict[str, CoordinateUnit] = {
    **dict.fromkeys(("ft", "feet", "foot", "us survey foot", "ftus"), "ft"),
    **dict.fromkeys(("degrees", "degree", "deg", "degrees_east", "degrees_north"), "degrees"),
    **dict.fromkeys(("arcsec", "arcseconds", "arc second", "arc seconds"), "arcsec"),
}
"""Units of coordinates; others are metres."""


def is_zarr(path: Path) -> bool:
    """Whether a folder holds a Zarr array or group."""
    return any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def open_zarr(path: Path) -> tuple[AmplitudeArray, Frame]:
    """Find the amplitudes of a Zarr store and their geometry.

    Args:
        path: folder of an array or a group.

    Returns:
        The array, unread, and what is known of its geometry.

    Raises:
        MissingDependencyError: the package Zarr is not installed.
        SurveyError: no amplitudes, or dimensions in the wrong order.
    """
    node = open_node(path)
    with zarr_reading(path):  # names and attributes may be of any kind
        if not hasattr(node, "arrays"):
            array = opened_array(node, path)
            return array, _frame_of_attributes(path, array)
        attributes = node.attrs.asdict()
        if "diapir" in attributes:
            raise SurveyError(
                f"{path} holds predictions of diapir, not amplitudes",
                expected="seismic amplitudes",
                fix="give the survey, or run `diapir products` on the predictions",
            )
        # one by one: where one of several fails, `node.arrays()` leaves tracebacks of the others
        found = {place.name: node[place.name] for place in sorted(path.iterdir()) if is_zarr(place)}
        arrays = {
            name: opened_array(array, path / name)
            for name, array in found.items()
            if not hasattr(array, "arrays")
        }
        name = _amplitudes(path, attributes, arrays)
        return arrays[name], _frame_of_group(path, name, arrays)


def _amplitudes(path: Path, attributes: Mapping[str, Any], arrays: Mapping[str, ZarrArray]) -> str:
    """The name of the array of amplitudes."""
    inner = attributes.get("attributes", {})
    named = attributes.get("defaultVariableName") or (
        inner.get("defaultVariableName") if isinstance(inner, Mapping) else None
    )
    for name in (named, *_AMPLITUDE):
        if isinstance(name, str) and name in arrays:
            return name
    volumes = [
        name
        for name, array in arrays.items()
        if array.dtype.kind in "fiu" and _role(array.dimensions[-1:]) == "vertical"
    ]
    if len(volumes) != 1:
        names = listing(sorted(arrays), 12) or "nothing"
        raise SurveyError(
            f"{path} has no array that is clearly the amplitudes; it holds {names}",
            expected="an array named amplitude, or a single array with a time or depth axis",
            fix="give the folder of the array itself, such as STORE/NAME",
        )
    return volumes[0]


def _frame_of_group(path: Path, name: str, arrays: Mapping[str, ZarrArray]) -> Frame:
    array = arrays[name]
    dimensions = array.dimensions
    if not dimensions:
        return _frame_of_attributes(path, array)
    roles = [_role([dimension]) for dimension in dimensions]
    if roles not in (["inline", "crossline", "vertical"], ["trace", "vertical"]):
        raise SurveyError(
            f"{path}: the dimensions of {name} are {', '.join(dimensions)}",
            expected="(inline, crossline, time or depth), or (cdp, time or depth), in this order",
            fix="transpose the array; stack pre-stack data first",
        )

    def along(place: int) -> NDArray[np.int64] | None:
        numbers = arrays.get(dimensions[place])
        if numbers is None or numbers.shape != (array.shape[place],):
            return None
        found: NDArray[np.int64] = np.rint(_finite(numbers)).astype(np.int64)
        return found

    def over(names: Sequence[str]) -> NDArray[Any] | None:
        shape = array.shape[:-1]
        found = next((arrays[key] for key in names if key in arrays), None)
        if found is None or found.shape != shape:
            return None
        return np.asarray(found[:]).reshape((1, *shape)[-2:])

    easting, northing, mask = over(_EASTING), over(_NORTHING), over(_MASK)
    vertical = arrays.get(dimensions[-1])
    interval, start, notes = _spacing(vertical, array.shape[-1])
    x_axis = next((arrays[key] for key in _EASTING if key in arrays), None)
    known = easting is not None and northing is not None
    return Frame(
        inlines=along(0) if len(roles) == 3 else None,
        crosslines=along(len(roles) - 2),
        interval=interval,
        start=start,
        domain=_VERTICAL[dimensions[-1].lower()],
        live=None if mask is None else mask.astype(bool),
        easting=easting.astype(np.float64) if known and easting is not None else None,
        northing=northing.astype(np.float64) if known and northing is not None else None,
        depth_unit=_VERTICAL_UNITS.get(_unit_of(vertical), (1.0, None))[1] or "m",
        coordinate_unit=_XY_UNITS.get(_unit_of(x_axis), "m"),
        undefined=_declared_undefined(array),
        notes=(*notes, *_packing(array, vertical, x_axis)),
    )


def _declared_undefined(array: ZarrArray) -> tuple[float, ...]:
    """Values that an array declares to stand for no value; chunks not written hold the last.

    Zeros are dead traces and mutes anyway; packed arrays hide theirs.
    """
    if isinstance(array, PackedArray):
        return ()
    return tuple(filter(None, missing_values(array.attributes, array.fill_value)))


def _packing(*arrays: ZarrArray | None) -> tuple[str, ...]:
    """How the numbers of arrays are unpacked."""
    return tuple(array.note for array in arrays if isinstance(array, PackedArray))


def _finite(array: ZarrArray) -> NDArray[Any]:
    """All values of an axis."""
    values = array[:]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise _unreadable(array.path, "its values are not all numbers")
    return values


def _unit_of(array: ZarrArray | None) -> str:
    """The unit in the attributes of an array, in lower case; empty where there is none."""
    return "" if array is None else str(array.attributes.get("units", "")).lower()


def _spacing(
    vertical: ZarrArray | None, samples: int
) -> tuple[float | None, float, tuple[str, ...]]:
    """Interval and start of a vertical axis, in ms, m or ft."""
    if vertical is None or vertical.shape != (samples,) or samples < 2:
        return None, 0.0, ()
    values = _finite(vertical).astype(np.float64)
    values *= _VERTICAL_UNITS.get(_unit_of(vertical), (1.0, None))[0]
    steps = np.diff(values)
    interval = float(np.median(steps))
    even = np.allclose(steps, interval, rtol=1e-3)
    note = f"samples are not evenly spaced; interval {interval:g} is used for all"
    return interval, float(values[0]), () if even else (note,)


def _frame_of_attributes(path: Path, array: ZarrArray) -> Frame:
    """The geometry in the attributes of a plain array."""
    attributes, shape = array.attributes, array.shape
    try:
        numbers = {
            name: np.asarray(attributes[name], np.int64) if name in attributes else None
            for name in ("inlines", "crosslines")
        }
        for place, values in zip((-3, -2), numbers.values(), strict=True):
            if values is not None and (len(shape) < -place or values.shape != (shape[place],)):
                raise ValueError("inlines or crosslines do not have the length of their axis")
        domain = attributes.get("domain", "unknown")
        if domain not in ("time", "depth", "unknown"):
            raise ValueError(f"domain {domain!r} is neither time nor depth")
        interval = attributes.get("interval")
        start = float(attributes.get("start", 0.0))
        if not np.isfinite(start):
            raise ValueError(f"start is {start}")
        return Frame(
            inlines=numbers["inlines"],
            crosslines=numbers["crosslines"],
            interval=None if interval is None else float(interval),
            start=start,
            domain=domain,
            depth_unit=_one_of(attributes, "depth_unit", get_args(LengthUnit)),
            coordinate_unit=_one_of(attributes, "coordinate_unit", get_args(CoordinateUnit)),
            undefined=_declared_undefined(array),
            notes=_packing(array),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise _unreadable(path, f"its attributes do not fit: {error}") from None


def _one_of(attributes: Mapping[str, Any], name: str, allowed: tuple[Any, ...]) -> Any:
    """An attribute, m where it is missing.

    Raises:
        ValueError: a value that is not allowed.
    """
    value = attributes.get(name, "m")
    if value not in allowed:
        raise ValueError(f"{name} {value!r} is none of {', '.join(allowed)}")
    return value


def _role(dimensions: Sequence[str]) -> str:
    """Role of the first dimension: inline, crossline, trace or vertical; empty for others."""
    name = dimensions[0].lower() if dimensions else ""
    for role, names in (
        ("inline", _INLINE),
        ("crossline", _CROSSLINE),
        ("trace", _TRACE),
        ("vertical", _VERTICAL),
    ):
        if name in names:
            return role
    return ""


def _unreadable(path: Path, why: str) -> SurveyError:
    return SurveyError(
        f"{path} cannot be read as a Zarr store: {why}",
        expected="a Zarr array, or a group as written by xarray or MDIO",
        fix="write the store again, or give the SEG-Y file",
    )
