"""Parts of `.npy` files by plain reads and writes at offsets.

A memory map would be shorter, but a file that is cut while it is mapped, or a disk that is full
when a mapped page is written, ends the process by SIGBUS without a word.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError


class NpyFile:
    """An array in an `.npy` file, of which parts are read and written.

    The file is opened anew for each part, so that threads and processes may share it.

    Args:
        path: the file.

    Attributes:
        shape: length of each axis.
        dtype: type of the numbers.

    Raises:
        SurveyError: the file is damaged, cut, or holds Python objects.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            try:
                self.shape, self._reversed, self.dtype = _header(stream)
            # whatever a damaged header makes NumPy's parser raise
            except Exception as error:
                if isinstance(error, OSError):
                    raise
                raise self._damaged(str(error) or type(error).__name__) from None
            self._start = stream.tell()
            size = os.fstat(stream.fileno()).st_size
        needed = self._start + math.prod(self.shape) * self.dtype.itemsize
        if size < needed:
            raise self._damaged(f"it has {size} bytes of {needed}")

    def __getitem__(self, place: tuple[slice, ...]) -> NDArray[Any]:
        """Read a copy of a part.

        Args:
            place: a slice for each of the first axes; axes left out are whole.

        Raises:
            SurveyError: the file has been cut since it was opened.
        """
        wanted = self._indices(place)
        found = np.empty([len(indices) for indices in wanted], self.dtype)
        with self.path.open("rb") as stream:
            for outer, first, box in self._runs(wanted):
                block = self._read(stream, first, box)
                found[outer] = block[_within(wanted[len(outer) :])]
        return found.transpose() if self._reversed else found

    def write(self, place: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Write a part; it is on the disk when this returns.

        Args:
            place: a slice without gaps for each of the first axes; axes left out are whole.
            values: numbers that fit the part.

        Raises:
            OSError: the disk is full or not writable.
        """
        wanted = self._indices(place)
        lengths = tuple(len(indices) for indices in wanted)
        if self._reversed:
            values = np.broadcast_to(values, lengths[::-1]).transpose()
        else:
            values = np.broadcast_to(values, lengths)
        with self.path.open("r+b") as stream:
            for outer, first, box in self._runs(wanted):
                block = np.empty(box, self.dtype)
                part = _within(wanted[len(outer) :])
                if block[part].size < block.size:
                    block[...] = self._read(stream, first, box)
                block[part] = values[outer]
                stream.seek(self._start + first * self.dtype.itemsize)
                stream.write(block.data)
            stream.flush()
            os.fsync(stream.fileno())

    def _indices(self, place: tuple[slice, ...]) -> list[range]:
        """Indices of a part along each axis, in the order of the file."""
        slices = (*place, *[slice(None)] * (len(self.shape) - len(place)))
        found = [range(*cut.indices(size)) for cut, size in zip(slices, self.shape, strict=True)]
        return found[::-1] if self._reversed else found

    def _runs(self, wanted: Sequence[range]) -> Iterator[tuple[tuple[int, ...], int, list[int]]]:
        """The contiguous runs of the file that hold a part.

        Yields:
            The position in the part, the index of the run's first number in the file, and the
            run's shape.
        """
        if any(not indices for indices in wanted):
            return
        shape = self.shape[::-1] if self._reversed else self.shape
        cut = [axis for axis, size in enumerate(shape) if len(wanted[axis]) < size]
        depth = cut[-1] if cut else 0  # of the axes before, each index has a run of its own
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        for outer in np.ndindex(*(len(indices) for indices in wanted[:depth])):
            first = sum(wanted[axis][index] * strides[axis] for axis, index in enumerate(outer))
            box = list(shape[depth:])
            if box:
                low, high = _span(wanted[depth])
                first += low * strides[depth]
                box[0] = high - low
            yield outer, first, box

    def _read(
        self, stream: BufferedReader | BufferedRandom, first: int, box: Sequence[int]
    ) -> NDArray[Any]:
        stream.seek(self._start + first * self.dtype.itemsize)
        block = np.empty(box, self.dtype)
        view = block.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(view):
            got = stream.readinto(view[done:])
            if not got:
                raise self._damaged("it has become shorter while it was read")
            done += got
        return block

    def _damaged(self, why: str) -> SurveyError:
        return SurveyError(
            f"{self.path} cannot be read as an array: {why}",
            expected="a whole .npy file of numbers",
            fix="copy the file again, or save the array again with numpy.save",
        )


def _header(stream: BufferedReader) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the axes of the file are reversed (Fortran order), and type of the numbers.

    Raises:
        ValueError: it is no header, or the file holds Python objects.
    """
    version = np.lib.format.read_magic(stream)
    # NumPy reads versions 2 and 3 alike, but for the encoding of names of fields
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
        (3, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version} of the format is unknown")
    shape, reverse, dtype = read(stream)
    if dtype.hasobject or dtype.subdtype or not dtype.itemsize:
        raise ValueError(f"it holds {dtype}, not numbers")
    if any(type(length) is not int or length < 0 for length in shape):
        raise ValueError(f"its shape is {shape}")
    return shape, reverse and len(shape) > 1, dtype


def _span(indices: range) -> tuple[int, int]:
    """The smallest range of indices that holds these."""
    return min(indices[0], indices[-1]), max(indices[0], indices[-1]) + 1


def _within(wanted: Sequence[range]) -> tuple[slice, ...]:
    """Where a part lies in a run: in its first axis relative to the run's start."""
    if not wanted:
        return ()
    low, _ = _span(wanted[0])
    return tuple(
        slice(
            indices.start - (low if axis == 0 else 0),
            # a stop below 0 would count from the end
            stop if (stop := indices.stop - (low if axis == 0 else 0)) >= 0 else None,
            indices.step,
        )
        for axis, indices in enumerate(wanted)
    )
