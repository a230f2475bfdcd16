"""Packed numbers in Zarr stores, as the CF conventions of NetCDF have them.

An array may hold small integers and say in its attributes what they stand for: stored value ×
`scale_factor` + `add_offset`. `_FillValue` and `missing_value` are stored values that stand for no
value, and `_Unsigned` says that signed integers are unsigned ones. xarray reads and writes these.
https://cfconventions.org/cf-conventions/cf-conventions.html#packed-data
"""

from __future__ import annotations

import base64
import contextlib
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.surveys.zarr_files import ZarrArray
from diapir.text import listing

_SCALE, _OFFSET, _UNSIGNED = "scale_factor", "add_offset", "_Unsigned"


class PackedArray(ZarrArray):
    """An array of packed numbers, which are unpacked when they are read.

    Args:
        array: as Zarr opened it.
        path: its folder.

    Attributes:
        note: how they are unpacked, for people.

    Raises:
        SurveyError: its metadata are damaged, or tell nothing that numbers can be unpacked with.
    """

    def __init__(self, array: Any, path: Any) -> None:
        super().__init__(array, path)
        self._scale = self._number(_SCALE, 1.0)
        self._offset = self._number(_OFFSET, 0.0)
        if self._scale == 0:
            raise self._unusable(_SCALE)
        self._stored = _stored_type(self.dtype, self.attributes)
        # xarray keeps _FillValue as Zarr's own fill value in format 2, and as an attribute later
        own = self.fill_value if array.metadata.zarr_format == 2 else None
        declared = missing_values(self.attributes, own)
        self._missing = _as_stored(declared, self.dtype, self._stored)
        self.note = self._described()
        self.dtype = np.dtype(np.float64)

    def __getitem__(self, place: tuple[slice, ...] | slice) -> NDArray[np.float64]:
        """Read a copy of a part, `float64`, NaN where there is no value.

        Raises:
            SurveyError: a chunk of it is damaged, or cannot be read.
        """
        stored = super().__getitem__(place).view(self._stored)
        values: NDArray[np.float64] = stored.astype(np.float64)
        values *= self._scale
        values += self._offset
        values[np.isin(stored, self._missing)] = np.nan
        return values

    def _number(self, name: str, usual: float) -> float:
        """An attribute, which NetCDF's readers may give as a list of one number."""
        given = self.attributes.get(name, usual)
        if isinstance(given, list) and len(given) == 1:
            given = given[0]
        try:
            number = float(given)
        except (TypeError, ValueError, OverflowError):
            number = np.nan
        if not np.isfinite(number):
            raise self._unusable(name)
        return number

    def _described(self) -> str:
        how = f"{self.path.name}: values unpacked as its attributes say, {self._stored}"
        if self._scale != 1 or self._offset != 0:
            how += f" × {self._scale:.7g} ({_SCALE}) + {self._offset:.7g} ({_OFFSET})"
        values = listing([f"{value:.10g}" for value in self._missing.tolist()])
        return how + (f"; those stored as {values} are no data" if values else "")

    def _unusable(self, name: str) -> SurveyError:
        return SurveyError(
            f"{self.path} has {name} = {str(self.attributes.get(name))[:40]}",
            expected=f"a number that its stored values are {_VERBS[name]}",
            fix=f"correct the attribute {name}, or remove it where the values are not packed",
        )


_VERBS = {_SCALE: "multiplied by, other than 0", _OFFSET: "added to"}


def opened_array(array: Any, path: Any) -> ZarrArray:
    """An array of a store, whose numbers are unpacked as they are read where they are packed."""
    found = ZarrArray(array, path)
    unsigned = _stored_type(found.dtype, found.attributes) != found.dtype
    packed = unsigned or _SCALE in found.attributes or _OFFSET in found.attributes
    return PackedArray(array, path) if packed and found.dtype.kind in "iuf" else found


def missing_values(attributes: Mapping[str, Any], own: Any = None) -> tuple[float, ...]:
    """Stored values that an array declares to stand for no value.

    Args:
        attributes: those of the array.
        own: the array's own fill value, which chunks hold that were never written.
    """
    stated: list[Any] = []
    for name in ("_FillValue", "missing_value"):
        value = attributes.get(name)
        stated += value if isinstance(value, list) else [value]
    found = []
    for value in [*stated, own]:
        # an integer may have thousands of digits
        with contextlib.suppress(TypeError, ValueError, OverflowError, struct.error):
            number = _number_of(value)
            if np.isfinite(number):
                found.append(number)
    return tuple(dict.fromkeys(found))


def _number_of(value: Any) -> float:
    """A number, which xarray writes as the base64 of 8 bytes where it is a float of format 3."""
    try:
        return float(value)
    except ValueError:
        (number,) = struct.unpack("<d", base64.b64decode(value, validate=True))
        return float(number)


def _as_stored(
    values: Iterable[float], dtype: np.dtype[Any], stored: np.dtype[Any]
) -> NDArray[Any]:
    """Values as an array holds them, without those that it cannot hold.

    Those of unsigned integers may be given as the signed ones that they are stored as.
    """
    found = []
    for value in values:
        for kind in (dtype, stored):
            if kind.kind == "f":
                with np.errstate(over="ignore"):
                    found.append(np.array(value, kind))
                break
            held = np.iinfo(kind)
            if value.is_integer() and held.min <= value <= held.max:
                found.append(np.array(int(value), kind).view(stored))
                break
    return np.array(found, stored)


def _stored_type(dtype: np.dtype[Any], attributes: Mapping[str, Any]) -> np.dtype[Any]:
    """The type of the stored numbers, which signed integers may stand for."""
    stated = str(attributes.get(_UNSIGNED, "")).lower()
    if dtype.kind == "i" and stated == "true":
        return np.dtype(dtype.str.replace("i", "u"))
    if dtype.kind == "u" and stated == "false":
        return np.dtype(dtype.str.replace("u", "i"))
    return dtype
