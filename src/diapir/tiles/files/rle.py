"""Kaggle's run-length encoding of a mask.

Pixels are numbered from 1, down the first column, then down the next. A mask is `start length`
pairs separated by spaces, sorted, not touching or overlapping each other; an empty mask is blank.
Source: the evaluation page of Kaggle's TGS Salt Identification Challenge (2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError


def rle_encode(mask: NDArray[np.uint8] | NDArray[np.bool_]) -> str:
    """Encode the pixels of a mask `(H, W)` that are 1 (or True), in runs as long as possible."""
    salt = np.zeros(mask.size + 2, np.int8)
    salt[1:-1] = mask.ravel(order="F") == 1
    edges = np.diff(salt)
    starts = np.flatnonzero(edges == 1) + 1
    lengths = np.flatnonzero(edges == -1) + 1 - starts
    return " ".join(map(str, np.stack([starts, lengths], axis=1).ravel().tolist()))


def rle_decode(runs: str, height: int, width: int) -> NDArray[np.uint8]:
    """The mask `uint8 (height, width)` of {0, 1} that `runs` describe.

    Raises:
        DataError: words that are not numbers, an odd number of them, or runs that are not
            positive, not sorted, overlapping, or beyond the last pixel.
    """
    words = runs.split()
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 19):
            raise _refusal(f"holds {word!r}, which is not a pixel number")
    if len(words) % 2:
        raise _refusal(f"holds {len(words)} numbers, so the last run has no length")
    numbers = np.array(words, dtype=np.int64).reshape(-1, 2)
    starts, ends = numbers[:, 0] - 1, numbers[:, 0] - 1 + numbers[:, 1]
    if (numbers < 1).any():
        raise _refusal("holds a start or a length below 1")
    if (starts[1:] < ends[:-1]).any():
        raise _refusal("holds runs that are not sorted, or overlap")
    if len(ends) and ends[-1] > height * width:
        raise _refusal(f"reaches pixel {ends[-1]} of {height * width} ({height} × {width})")
    edges = np.zeros(height * width + 1, np.int8)
    np.add.at(edges, starts, 1)
    np.add.at(edges, ends, -1)
    return np.cumsum(edges[:-1], dtype=np.int8).view(np.uint8).reshape((height, width), order="F")


def _refusal(reason: str) -> DataError:
    return DataError(
        f"the run-length encoding {reason}",
        expected="sorted `start length` pairs, counted from 1 down the columns; blank without salt",
        fix="correct the row in train.csv",
    )
