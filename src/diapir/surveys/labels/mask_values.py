"""What the numbers of a mask mean where it is a volume or an array: classes of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.surveys.labels.label_options import LabelOptions
from diapir.surveys.labels.section_labels import Mask
from diapir.surveys.labels.vertical_units import without_nulls
from diapir.text import listing
from diapir.tiles.files.grey_levels import as_float

_COUNTED = 2**16
_MOST = 256
"""Different values that a mask may have."""


def known_values(values: NDArray[np.floating], source: str) -> NDArray[np.float64]:
    """The values of a part of a mask, each once, without those that stand for no value.

    Raises:
        DataError: values that are not whole numbers, or too many.
    """
    found = without_nulls(_each_once(values[np.isfinite(values)].astype(np.float64)))
    found = found[np.isfinite(found)]
    fractions = found[found != np.rint(found)]
    if len(fractions) or len(found) > _MOST:
        raise DataError(
            f"{source} is no mask: it holds values such as {listing(found[:3].tolist())}"
            if not len(fractions)
            else f"{source} is no mask: it holds fractions such as {fractions[0]:g}",
            expected="0 and 1, or the numbers of classes",
            fix="give a mask; of probabilities, mark those above a threshold first",
        )
    return found


def _each_once(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The different values; those of small whole numbers without sorting."""
    if values.size:
        low = float(values.min())
        if values.max() - low < _COUNTED and (values == np.rint(values)).all():
            counts = np.bincount((values - low).astype(np.int64))
            return np.flatnonzero(counts).astype(np.float64) + low
    return np.unique(values)


def salt_of(values: NDArray[np.float64], options: LabelOptions, source: str) -> tuple[float, str]:
    """The value that is salt.

    Args:
        values: all values of the mask, each once.
        options: the value, where it is given.
        source: file, for messages.

    Returns:
        The value, and a note where it was guessed.

    Raises:
        DataError: the value given does not occur, or several could be salt.
    """
    given = options.salt_value
    if given is not None:
        if given not in values:
            raise DataError(
                f"{source} nowhere holds --salt-value {given}; its values are {_listed(values)}",
                expected="a value that the mask holds",
                fix="correct --salt-value",
            )
        return float(given), ""
    if set(values.tolist()) <= {0}:
        return 1.0, ""  # nothing is salt
    if set(values.tolist()) <= {0, 1, IGNORE}:
        salt = 1 if 1 in values else IGNORE
        rest = ", 255 as not labelled" if salt == 1 and IGNORE in values else ""
        note = f"{Path(source).name}: value {salt} read as salt{rest}; another value: --salt-value"
        return float(salt), note
    raise DataError(
        f"{source} holds several classes: {_listed(values)}",
        expected="0 and 1, or the number of the class that is salt",
        fix="name it with --salt-value",
    )


def classes(values: NDArray[np.floating], salt: float) -> Mask:
    """Classes {0, 1, 255} of a mask's values: 255 for no value, and for 255 unless that is salt."""
    found: Mask = (values == salt).astype(np.uint8)
    missing = ~np.isfinite(without_nulls(as_float(values)))
    if salt != IGNORE:
        missing |= values == IGNORE
    found[missing] = IGNORE
    return found


def _listed(values: NDArray[np.float64]) -> str:
    return listing([f"{value:g}" for value in values.tolist()], 12)
