"""Floating-point numbers in trace headers, where the standard has integers.

Some programs write coordinates and line numbers as IEEE or IBM floats. Read as integers they are
numbers of ten digits, since the exponent is in the first byte.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diapir.surveys.segy.sample_formats import decode_samples
from diapir.surveys.segy.traces import Headers

FloatKind = Literal["IEEE", "IBM"]
_CODES: dict[FloatKind, int] = {"IEEE": 5, "IBM": 1}
_LEAST_BITS = 0x38000000
"""Integer below which no float of interest lies: IEEE 0.00003."""
_AT_ONCE = 2**16
"""Numbers that are compared at once: the first ones tell of nearly all files that they are not."""
_MOST = 2.0e7
"""Largest line number or coordinate in m that is credible."""
_LEAST = 1e-3
_ROUND = 8
"""Parts of a metre that most coordinates are multiples of, where they are round at all."""
_FARTHEST = 1e7
"""Coordinate in m, the largest of UTM, above which an integer is not credible."""


def with_whole_floats(headers: Headers, fields: set[int]) -> tuple[Headers, list[str]]:
    """Headers whose line numbers are integers where they are stored as floats.

    Args:
        headers: as read.
        fields: bytes that may hold line numbers.

    Returns:
        The headers, and a note where numbers were floats.
    """
    stored = {byte: headers.fields[byte] for byte in sorted(fields & headers.fields.keys())}
    stored = {byte: numbers for byte, numbers in stored.items() if _are_floats(numbers)}
    read = [{byte: _decoded(numbers, kind) for byte, numbers in stored.items()} for kind in _CODES]
    whole = [{byte: one for byte, one in found.items() if _are_numbers(one)} for found in read]
    # one program wrote them all: numbers in another format are not whole, or unevenly spaced
    best = min(whole, key=lambda found: (-len(found), sum(map(_unevenness, found.values()))))
    changed = {byte: values.astype(np.int32) for byte, values in best.items()}
    if not changed:
        return headers, []
    where = " and ".join(map(str, changed))
    note = f"the numbers at byte{'s' * (len(changed) > 1)} {where} are floats, and read as such"
    return replace(headers, fields=headers.fields | changed), [note]


def float_coordinates(
    easting: NDArray[np.int64], northing: NDArray[np.int64], scalar: NDArray[np.int64]
) -> tuple[FloatKind, NDArray[np.float64]] | None:
    """Coordinates that are stored as floats; None where they are integers.

    Args:
        easting: as integers, `(traces,)`.
        northing: as integers.
        scalar: coordinate scalar of each trace.

    Returns:
        How they are stored, and `float64 (traces, 2)`; both are not credible as integers.
    """
    told = [column[column != 0] for column in (easting, northing)]
    if not any(map(len, told)) or not all(map(_large, told)):
        return None
    divisor = max(1, int(-scalar.min(initial=0)))
    if max(np.abs(column).max(initial=0) for column in told) / divisor <= _FARTHEST:
        return None
    numbers = np.stack([easting, northing], axis=1)
    found: list[tuple[float, FloatKind, NDArray[np.float64]]] = []
    for kind in _CODES:
        values = _decoded(numbers, kind)
        sizes = np.abs(values[values != 0])
        if sizes.size and np.isfinite(sizes).all() and _LEAST <= sizes.min() <= sizes.max() < _MOST:
            found.append((_oddness(values), kind, values))
    if not found:
        return None
    _, kind, values = min(found, key=lambda one: one[0])
    return kind, values


def _are_floats(numbers: NDArray[np.int32]) -> bool:
    told = numbers[numbers != 0]
    return bool(told.size) and _large(told)


def _are_numbers(values: NDArray[np.float64]) -> bool:
    """Whether values are line numbers: whole, and of a credible size."""
    sizes = np.abs(values[values != 0])
    whole = sizes.size and bool((values == np.rint(values)).all())
    return bool(whole and 1 <= sizes.min() <= sizes.max() < _MOST)


def _large(numbers: NDArray[np.integer]) -> bool:
    """Whether integers have the exponent of a float in their first byte."""
    return all(
        bool(((numbers[start : start + _AT_ONCE] & 0x7FFFFFFF) >= _LEAST_BITS).all())
        for start in range(0, len(numbers), _AT_ONCE)
    )


def _decoded(numbers: NDArray[np.integer], kind: FloatKind) -> NDArray[np.float64]:
    raw = np.ascontiguousarray(numbers.astype(">i4")).view(np.uint8).reshape(len(numbers), -1)
    with np.errstate(invalid="ignore"):  # some integers are signalling NaNs
        values = decode_samples(raw, _CODES[kind], ">").astype(np.float64)
    return values.reshape(numbers.shape)


def _unevenness(values: NDArray[np.float64]) -> float:
    """How unevenly numbers are spaced: those in another format have other steps at powers of 2."""
    steps = np.diff(np.unique(values))
    return float(steps.std() / steps.mean()) if len(steps) > 1 else 0.0


def _oddness(values: NDArray[np.float64]) -> float:
    """How little values look like coordinates: few are round, or they are unevenly spaced."""
    odd = float(np.mean(values * _ROUND != np.rint(values * _ROUND)))
    return odd + sum(_unevenness(column) for column in values.T) / 100
