"""Images and masks of tile sets that are stored as NumPy arrays."""

from __future__ import annotations

import io
import tokenize

import numpy as np

from diapir.errors import DataError
from diapir.tiles.files.grey_levels import Pixels


def array_pixels(content: bytes, name: str) -> Pixels:
    """The pixels of an .npy file: `(H, W)`, or `uint8 (H, W, 3)` where it is in colour.

    Args:
        content: the file's bytes.
        name: its name in errors.

    Raises:
        DataError: it is damaged, holds objects, or is no image.
    """
    try:
        values = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, OverflowError, MemoryError) as error:
        raise _refusal(name, f"cannot be read as an array: {error}") from None
    except tokenize.TokenError as error:
        raise _refusal(name, f"cannot be read as an array: {error}") from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub" or 0 in values.shape:
        raise _refusal(name, "holds no numbers")
    shape = values.shape
    if len(shape) == 3 and 1 in (shape[0], shape[2]):
        values = values.reshape([side for place, side in enumerate(shape) if place != _flat(shape)])
    if values.ndim == 3 and values.shape[2] in (3, 4) and values.dtype == np.uint8:
        values = values[..., :3]
        return values if np.ptp(values, axis=2).any() else values[..., 0].copy()
    if values.ndim != 2:
        raise _refusal(name, f"has the shape {shape}")
    if values.dtype == np.bool_:
        return values.astype(np.uint8)
    return np.ascontiguousarray(values)


def _flat(shape: tuple[int, ...]) -> int:
    """The axis of one channel."""
    return 2 if shape[2] == 1 else 0


def _refusal(name: str, reason: str) -> DataError:
    return DataError(
        f"{name} {reason}",
        expected="an array of numbers of shape (height, width)",
        fix="save it again with numpy.save, or take it out of the tile set",
    )
