"""Zarr stores from anywhere: what is damaged ends in an error that names the store.

Zarr and its codecs raise whatever their parsers and decoders raise, so that everything that comes
from them while reading is turned into one kind of error here.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DiapirError, MissingDependencyError, SurveyError

_MOST_OUTSIDE = 1 << 28
"""Bytes of a chunk that is larger than its array: a claim that costs nothing."""


class ZarrArray:
    """An array of a store.

    Args:
        array: as Zarr opened it.
        path: its folder.

    Attributes:
        shape: length of each axis.
        dtype: type of the numbers.
        fill_value: what chunks that were never written hold; None where none is stated.
        attributes: the user's attributes.
        dimensions: names of the axes; empty where they are not all named.

    Raises:
        SurveyError: its metadata are damaged.
    """

    def __init__(self, array: Any, path: Path) -> None:
        self.path = path
        self._array = array
        with zarr_reading(path):
            self.shape: tuple[int, ...] = tuple(map(int, array.shape))
            self.dtype = np.dtype(array.dtype)
            self.fill_value: Any = array.fill_value
            self.attributes: dict[str, Any] = dict(array.attrs.asdict())
            # from Zarr 3 metadata, or from xarray's attribute in Zarr 2
            names = getattr(array.metadata, "dimension_names", None)
            names = names or self.attributes.get("_ARRAY_DIMENSIONS") or ()
            self.dimensions = tuple(map(str, names)) if all(names) else ()
            self._chunk_bytes = _chunk_bytes(array, self.shape, self.dtype.itemsize)

    def __getitem__(self, place: tuple[slice, ...] | slice) -> NDArray[Any]:
        """Read a copy of a part.

        Raises:
            SurveyError: a chunk of it is damaged, or cannot be read.
        """
        from diapir.surveys.chunk_guard import chunk_bytes

        with zarr_reading(self.path), chunk_bytes(self._chunk_bytes):
            return np.asarray(self._array[place])

    def write(self, place: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Write a part; a chunk is replaced in one step.

        Raises:
            OSError: the disk is full or not writable.
        """
        from diapir.surveys.chunk_guard import chunk_bytes

        with zarr_writing(self.path), chunk_bytes(self._chunk_bytes):
            self._array[place] = values


def _chunk_bytes(array: Any, shape: tuple[int, ...], itemsize: int) -> int:
    """Bytes of a decoded chunk, or shard; those outside the array do not count without end."""
    chunk = tuple(map(int, getattr(array, "shards", None) or array.chunks))
    inside = math.prod(map(min, chunk, shape)) * max(1, itemsize)
    return min(math.prod(chunk) * max(1, itemsize), max(inside, _MOST_OUTSIDE))


def open_node(path: Path, *, mode: str = "r", **options: Any) -> Any:
    """Open an array or a group as Zarr does, with the chunks checked as they are decoded.

    Raises:
        MissingDependencyError: the package Zarr is not installed.
        SurveyError: it is no store, or its metadata are damaged.
    """
    zarr = import_zarr()
    with zarr_reading(path):
        return zarr.open(str(path), mode=mode, **options)


def import_zarr() -> Any:
    """The package Zarr, with the chunks checked as they are decoded.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import zarr
    except ModuleNotFoundError as error:
        if error.name != "zarr":
            raise
        raise MissingDependencyError("zarr", "volume") from None
    import diapir.surveys.blosc_guard  # noqa: F401 - registers checked codecs, of chunk_guard too

    return zarr


@contextlib.contextmanager
def zarr_reading(path: Path) -> Iterator[None]:
    """Turn everything that reading a store raises into an error that names it.

    Raises:
        SurveyError: naming `path`.
    """
    try:
        yield
    except DiapirError:
        raise
    except Exception as error:
        raise SurveyError(
            f"{path} cannot be read: {_reason(error)}",
            expected="an intact Zarr store",
            fix="copy the store again, or write it again, from where it was made",
        ) from None


@contextlib.contextmanager
def zarr_writing(path: Path) -> Iterator[None]:
    """Name the store in an error of the disk, and see to other errors as `zarr_reading` does.

    Raises:
        OSError: naming `path`, where the system gave no name.
        SurveyError: what is in the store already is damaged.
    """
    with zarr_reading(path):
        try:
            yield
        except OSError as error:
            if error.errno is None:  # a decoder's
                raise
            failed = error
        else:
            return
    raise OSError(failed.errno, failed.strerror, str(path))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = next(iter(str(error).splitlines()), "")
    kind = type(error).__name__
    if isinstance(error, KeyError):
        return f"it has no {text}"
    return text or kind
