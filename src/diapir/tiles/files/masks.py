"""Mask encodings: what the stored values of a mask mean.

| encoding | background | salt    | ignore | found in                                    |
|----------|------------|---------|--------|---------------------------------------------|
| `index`  | 0          | 1       | 255    | masks of class numbers                      |
| `grey8`  | 0          | 255     |        | drawn masks                                 |
| `grey16` | 0          | 65535   |        | TGS as published on Kaggle                  |
| `binary` | 0 … 127    | 128 …   |        | smoothed or resized masks, JPEG; never      |
|          |            |         |        | recognised, as it fits any values           |
| `seed`   | 0          | 1 … 254 | 255    | super-resolved TGS                          |
| `rle`    |            |         |        | Kaggle's `train.csv`: run-length encoded    |

`mask_census` decides which encoding a set of masks has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE, MaskEncoding
from diapir.errors import DataError

DEEP = 65535
"""The greatest 16-bit value; the only one above 255 that a mask may hold."""
ENCODINGS: dict[MaskEncoding, str] = {
    "index": "0 background, 1 salt, 255 ignored",
    "grey8": "0 background, 255 salt",
    "grey16": "0 background, 65535 salt",
    "binary": "0 to 127 background, 128 to 255 salt",
    "seed": "0 background, 1 to 254 salt, 255 ignored",
    "rle": "run-length encoded salt in train.csv",
}
"""What the values of each encoding mean, in words."""

BRIGHT = 128
"""Values from here on look white: nobody draws ignored pixels white and salt black."""

_UNEXPECTED = 2


class StoredMask(NamedTuple):
    """A mask as stored in its file, before the meaning of its values is known."""

    codes: NDArray[np.uint8]
    """`uint8 (H, W)`: the stored values, with 65535 as 255."""
    histogram: NDArray[np.uint32]
    """`uint32 (256,)`: number of pixels of each code."""
    deep: bool
    """Whether code 255 stands for 65535."""
    strays: tuple[int, ...]
    """Values that no encoding has: those between 255 and 65535, or beside 65535; at most ten."""


def stored_mask(values: NDArray[np.uint8] | NDArray[np.uint16]) -> StoredMask:
    """Reduce stored values `(H, W)` to 8-bit codes without deciding what they mean."""
    strays: tuple[int, ...] = ()
    deep = False
    if values.dtype == np.uint8:
        codes = values.astype(np.uint8, copy=False)
    elif _smoothed(values):
        codes = np.rint(values / 257).astype(np.uint8)
    else:
        above = values > 255
        deep = bool((values == DEEP).any())
        strays = tuple(int(v) for v in np.unique(values[above & (values != DEEP)])[:5])
        if deep:  # beside 65535, the values 1 … 255 are as unexpected as those above 255
            strays += tuple(int(v) for v in np.unique(values[(values > 0) & ~above])[:5])
        codes = np.where(above, 255, values).astype(np.uint8)
    histogram = np.bincount(codes.ravel(), minlength=256).astype(np.uint32)
    return StoredMask(codes, histogram, deep, strays)


def _smoothed(values: NDArray[np.uint8] | NDArray[np.uint16]) -> bool:
    """Whether 16-bit values run from 0 to 65535 with many between, as at smoothed edges."""
    if values.min() != 0 or values.max() != DEEP:
        return False
    between = values[(values > 255) & (values < DEEP)]
    white = int(np.count_nonzero(values == DEEP))
    return 0 < between.size < white and np.unique(between).size > 3


def class_table(encoding: MaskEncoding, *, deep: bool) -> NDArray[np.uint8]:
    """Code → class for one encoding: 0 background, 1 salt, 255 ignore, 2 unexpected.

    Args:
        encoding: mask encoding.
        deep: whether code 255 stands for 65535.

    Returns:
        `uint8 (256,)`.
    """
    if encoding == "binary":
        return (np.arange(256) >= BRIGHT).astype(np.uint8)
    table = np.full(256, _UNEXPECTED, np.uint8)
    table[0] = 0
    if encoding == "grey16":
        if deep:
            table[255] = 1
    elif not deep:
        if encoding == "grey8":
            table[255] = 1
        elif encoding == "seed":
            table[1:255] = 1
            table[255] = IGNORE
        else:
            table[1] = 1
            table[255] = IGNORE if encoding == "index" else _UNEXPECTED
    return table


def unexpected_values(
    histogram: NDArray[np.uint32], encoding: MaskEncoding, *, deep: bool
) -> list[int]:
    """The stored values of one mask that the encoding does not have, sorted.

    Args:
        histogram: `uint32 (256,)`: number of pixels of each code.
        encoding: mask encoding.
        deep: whether code 255 stands for 65535.
    """
    codes = np.flatnonzero((histogram > 0) & (class_table(encoding, deep=deep) == _UNEXPECTED))
    return [DEEP if deep and code == 255 else code for code in codes.tolist()]


def decode_mask(
    values: NDArray[np.uint8] | NDArray[np.uint16], encoding: MaskEncoding
) -> NDArray[np.uint8]:
    """Classes of one mask's stored values; `load_tiles` decodes those of a whole set.

    Args:
        values: `uint8` or `uint16 (H, W)` as stored.
        encoding: mask encoding of the values.

    Returns:
        `uint8 (H, W)` of {0 background, 1 salt, 255 ignore}.

    Raises:
        DataError: values that the encoding does not have.
    """
    mask = stored_mask(values)
    unexpected = mask.strays or unexpected_values(mask.histogram, encoding, deep=mask.deep)
    if unexpected:
        raise DataError(
            f"the mask holds {listed(unexpected)}, which {encoding} does not have",
            expected=f"{encoding}: {ENCODINGS[encoding]}",
            fix="correct the mask, or name another encoding",
        )
    return class_table(encoding, deep=mask.deep)[mask.codes]


def encode_mask(
    classes: NDArray[np.uint8], encoding: Literal["index", "grey8", "grey16", "seed"]
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Stored values of classes {0, 1, 255} `uint8 (H, W)`; the inverse of `decode_mask`.

    Raises:
        DataError: ignored pixels in an encoding that has no value for them.
    """
    if encoding in {"grey8", "grey16"} and (classes == IGNORE).any():
        raise DataError(
            f"a mask with ignored pixels cannot be stored as {encoding}",
            expected="an encoding that has a value for them: index or seed",
            fix="use index or seed",
        )
    if encoding == "grey8":
        return classes * np.uint8(255)
    if encoding == "grey16":
        return classes.astype(np.uint16) * np.uint16(DEEP)
    if encoding == "seed":
        return np.where(classes == 1, np.uint8(254), classes)
    return classes.copy()


def listed(values: Iterable[int]) -> str:
    """Mask values in words; of more than eight, the first four and the last two."""
    numbers = list(map(str, values))
    if len(numbers) > 8:
        numbers = [*numbers[:4], "…", *numbers[-2:]]
    return ", ".join(numbers)
