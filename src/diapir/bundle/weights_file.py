"""The file of a bundle's trainable weights: written, read, and its parameters counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.files import give_usual_mode

WEIGHTS = "model.safetensors"

LARGE = 2**14
"""Tensors of at least this many values are stored as float16. Smaller ones (biases, batch norms,
depthwise and first convolutions) are a few per cent of a network, and would cause most of the
differences."""
KINDS = ("F16", "F32", "F64", "I64", "I32", "U8", "BOOL")
"""Types of tensors that are read, in the names of safetensors; NumPy lacks BF16 and F8."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def write_weights(path: Path, tensors: Mapping[str, NDArray[Any]], *, half: bool = False) -> None:
    """Write weights as safetensors.

    Args:
        path: the new file.
        tensors: weights by name.
        half: store large float32 tensors as float16, except those with values beyond its range.

    Raises:
        SafetensorError, OSError: the file cannot be written.
    """
    from safetensors.numpy import save_file

    stored = {name: halved(value) if half else value for name, value in tensors.items()}
    save_file({name: np.asarray(value, order="C") for name, value in stored.items()}, path)
    give_usual_mode(path)  # safetensors writes files that only their owner may read


def halved(tensor: NDArray[Any]) -> NDArray[Any]:
    """A tensor as float16, if it is large, float32 and in the range of float16."""
    if tensor.dtype != np.float32 or tensor.size < LARGE:
        return tensor
    if np.abs(tensor).max() > np.finfo(np.float16).max:
        return tensor
    return tensor.astype(np.float16)


def read_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The weights by name; those stored as float16 are returned as float32.

    Raises:
        SafetensorError, OSError: the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load_file

    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 - the file cannot be iterated over
            kind = file.get_slice(name).get_dtype()
            if kind not in KINDS:
                raise SafetensorError(f"tensor {name} is {kind} instead of {', '.join(KINDS)}")
    found: dict[str, NDArray[Any]] = load_file(path)
    return {
        name: value.astype(np.float32) if value.dtype == np.float16 else value
        for name, value in found.items()
    }


def count_parameters(path: Path) -> int:
    """Number of trainable values in a weights file, from its header.

    Raises:
        SafetensorError, OSError: the file cannot be read.
    """
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return sum(
            math.prod(file.get_slice(name).get_shape())
            for name in file.keys()  # noqa: SIM118 - the file cannot be iterated over
            if not name.endswith(_STATISTICS)
        )
