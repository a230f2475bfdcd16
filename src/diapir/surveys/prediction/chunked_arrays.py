"""Named arrays in a folder, in chunks that one task writes: Zarr, or NumPy files."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.files import replace_file, writing
from diapir.json_text import parse_json
from diapir.scratch import remove_folder, remove_stale
from diapir.surveys.npy_file import NpyFile
from diapir.surveys.zarr_files import (
    ZarrArray,
    import_zarr,
    open_node,
    zarr_reading,
    zarr_writing,
)

Place = tuple[slice, ...]
"""A part of an array; axes left out are whole."""

_DESCRIPTION = "prediction.json"
_KEY = "diapir"


class Arrays(Protocol):
    """Named arrays in one folder, with a JSON description."""

    @classmethod
    def make(cls, path: Path) -> Self:
        """Create the folder, which must not exist."""
        ...

    @classmethod
    def open(cls, path: Path, *, writable: bool) -> Self:
        """Open the folder.

        Raises:
            SurveyError: it does not exist, or holds no such arrays.
        """
        ...

    def __contains__(self, name: str) -> bool: ...

    def create(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        chunks: tuple[int, ...],
        fill: float,
        shards: tuple[int, ...] | None = None,
    ) -> None:
        """Create an array filled with `fill`; a file holds the chunks of a shard, or one."""
        ...

    def form(self, name: str) -> tuple[tuple[int, ...], str]:
        """Shape of an array and the name of its type."""
        ...

    def read(self, name: str, place: Place) -> NDArray[Any]:
        """Read a copy of a part."""
        ...

    def write(self, name: str, place: Place, values: NDArray[Any]) -> None:
        """Write a part. Parts without a common shard may be written at the same time."""
        ...

    def remove(self, name: str) -> None:
        """Remove an array, if it exists."""
        ...

    def remove_partial(self) -> None:
        """Remove half-written files of a process that was killed; no other may write here."""
        ...

    def describe(self, description: Mapping[str, Any]) -> None:
        """Save a description that JSON can hold."""
        ...

    def description(self) -> dict[str, Any]:
        """The description that `describe` saved."""
        ...


class ZarrArrays:
    """A Zarr v3 group on disk."""

    def __init__(self, group: Any, path: Path) -> None:
        self._group = group
        self._path = path
        self._opened: dict[str, ZarrArray] = {}

    @classmethod
    def make(cls, path: Path) -> Self:
        """Create the folder, which must not exist."""
        with zarr_writing(path):
            return cls(import_zarr().create_group(str(path), zarr_format=3), path)

    @classmethod
    def open(cls, path: Path, *, writable: bool) -> Self:
        """Open the folder."""
        if not (path / "zarr.json").is_file():
            raise _not_there(path, "zarr.json does not exist")
        node = open_node(path, mode="r+" if writable else "r", zarr_format=3)
        if not hasattr(node, "create_array"):
            raise _not_there(path, "it is a single array")
        return cls(node, path)

    def __contains__(self, name: str) -> bool:
        return (self._path / name / "zarr.json").is_file()

    def create(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        chunks: tuple[int, ...],
        fill: float,
        shards: tuple[int, ...] | None = None,
    ) -> None:
        """Create an array filled with `fill`; a file holds the chunks of a shard, or one."""
        remove_stale(self._path / name)
        with zarr_writing(self._path / name):
            from zarr.codecs import BloscCodec, Crc32cCodec

            self._group.create_array(
                name,
                shape=shape,
                dtype=dtype,
                chunks=tuple(max(1, length) for length in chunks),
                shards=shards,
                fill_value=np.dtype(dtype).type(fill),
                # Blosc is never slower than the network, and smooth probabilities shrink tenfold;
                # with the checksum no damaged chunk is read as probabilities
                compressors=(
                    BloscCodec(cname="zstd", clevel=1, shuffle="noshuffle"),
                    Crc32cCodec(),
                ),
            )
        # opened when it is used, as after an interruption: Blosc's header differs otherwise
        self._opened.pop(name, None)

    def form(self, name: str) -> tuple[tuple[int, ...], str]:
        """Shape of an array and the name of its type."""
        array = self._array(name)
        return array.shape, array.dtype.name

    def read(self, name: str, place: Place) -> NDArray[Any]:
        """Read a copy of a part."""
        return self._array(name)[place]

    def write(self, name: str, place: Place, values: NDArray[Any]) -> None:
        """Write a part; a chunk or shard is replaced in one step."""
        self._array(name).write(place, values)

    def remove(self, name: str) -> None:
        """Remove an array, if it exists."""
        self._opened.pop(name, None)
        remove_folder(self._path / name)

    def remove_partial(self) -> None:
        """Remove half-written files that Zarr left in a process that was killed."""
        for partial in self._path.rglob("*.partial"):
            with contextlib.suppress(OSError):
                partial.unlink()

    def describe(self, description: Mapping[str, Any]) -> None:
        """Save a description that JSON can hold."""
        with zarr_writing(self._path):
            self._group.attrs.put({_KEY: dict(description)})

    def description(self) -> dict[str, Any]:
        """The description that `describe` saved."""
        kept = self._group.attrs.asdict().get(_KEY, {})
        return kept if isinstance(kept, dict) else {}

    def _array(self, name: str) -> ZarrArray:
        if name not in self._opened:
            with zarr_reading(self._path / name):
                self._opened[name] = ZarrArray(self._group[name], self._path / name)
        return self._opened[name]


class NumpyArrays:
    """A folder of `.npy` files."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        self._path = path
        self._writable = writable

    @classmethod
    def make(cls, path: Path) -> Self:
        """Create the folder, which must not exist."""
        path.mkdir()
        return cls(path, writable=True)

    @classmethod
    def open(cls, path: Path, *, writable: bool) -> Self:
        """Open the folder."""
        if not (path / _DESCRIPTION).is_file():
            raise _not_there(path, f"{_DESCRIPTION} does not exist")
        return cls(path, writable=writable)

    def __contains__(self, name: str) -> bool:
        return self._file(name).is_file()

    def create(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        chunks: tuple[int, ...],
        fill: float,
        shards: tuple[int, ...] | None = None,
    ) -> None:
        """Create an array filled with `fill`; a file holds the chunks of a shard, or one."""
        row = np.full(shape[1:], fill, dtype)
        write_npy(self._file(name), shape, row.dtype, itertools.repeat(row, shape[0]))

    def form(self, name: str) -> tuple[tuple[int, ...], str]:
        """Shape of an array and the name of its type."""
        array = self._array(name)
        return array.shape, array.dtype.name

    def read(self, name: str, place: Place) -> NDArray[Any]:
        """Read a copy of a part."""
        return self._array(name)[place]

    def write(self, name: str, place: Place, values: NDArray[Any]) -> None:
        """Write a part."""
        NpyFile(self._file(name)).write(place, values)

    def remove(self, name: str) -> None:
        """Remove an array, if it exists."""
        self._file(name).unlink(missing_ok=True)

    def remove_partial(self) -> None:
        """Do nothing: the next write of the same name removes them."""

    def describe(self, description: Mapping[str, Any]) -> None:
        """Save a description that JSON can hold."""
        replace_file(self._path / _DESCRIPTION, json.dumps(description, indent=2) + "\n")

    def description(self) -> dict[str, Any]:
        """The description that `describe` saved."""
        try:
            kept = parse_json((self._path / _DESCRIPTION).read_bytes())
        except ValueError as error:
            raise _not_there(self._path, f"{_DESCRIPTION} is not valid JSON: {error}") from None
        return kept if isinstance(kept, dict) else {}

    def _array(self, name: str) -> NpyFile:
        if name not in self:
            raise _not_there(self._path, f"{self._file(name).name} does not exist")
        return NpyFile(self._file(name))

    def _file(self, name: str) -> Path:
        return self._path / f"{name}.npy"


def write_npy(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], rows: Iterable[NDArray[Any]]
) -> None:
    """Write an `.npy` file row by row, whole or not at all.

    Args:
        path: the file; an existing one is replaced at the end.
        shape: shape of the whole array.
        dtype: type of its numbers.
        rows: parts of the array in order, of any number type.

    Raises:
        OSError: the disk is full or not writable.
    """
    with writing(path) as stream:
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for row in rows:
            stream.write(np.ascontiguousarray(row, dtype).data)


def has_zarr() -> bool:
    """Whether Zarr is installed, without importing it."""
    from importlib.util import find_spec

    return find_spec("zarr") is not None


def _not_there(path: Path, reason: str) -> SurveyError:
    return SurveyError(
        f"{path} cannot be opened: {reason}",
        expected="a folder of predictions written by `diapir predict`",
        fix="give the folder of a finished prediction",
    )
