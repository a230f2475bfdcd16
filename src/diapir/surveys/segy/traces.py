"""Read trace headers and samples from a SEG-Y file, in pieces of bounded size.

The file is read, not memory-mapped: pages of a mapped file count as the program's memory, a file
truncated while it is mapped kills the program, and Windows locks mapped files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.progress import Progress
from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.segy.sample_formats import decode_samples

SHORT_FIELDS = {29: "i2", 71: "i2", 89: "i2", 109: "i2", 115: "u2", 117: "u2", 215: "i2"}
"""16-bit fields of the trace header, by first byte; all other fields read are 32-bit."""
_PIECE = 8 * 2**20
"""Bytes read at once."""
_BRIDGE = 16 * 2**10
"""Bytes between two wanted traces up to which they are read rather than skipped."""
_PROBES = 64
"""Samples checked first to show that a trace is not dead."""


@dataclass(frozen=True)
class Headers:
    """Some fields of the headers of consecutive traces.

    Attributes:
        fields: `int32 (n,)` by first byte; `headers[byte]` gives `int64`, whose differences do not
            overflow.
        empty: `bool (n,)`, True where all samples are equal: zeros, or an undefined value. Where
            that holds for every trace, True for zeros only.
    """

    fields: dict[int, NDArray[np.int32]]
    empty: NDArray[np.bool_]

    def __getitem__(self, byte: int) -> NDArray[np.int64]:
        return self.fields[byte].astype(np.int64)

    def only(self, kept: NDArray[np.bool_]) -> Headers:
        """The headers of some traces, `bool (n,)`."""
        if kept.all():
            return self
        fields = {byte: values[kept] for byte, values in self.fields.items()}
        return Headers(fields, self.empty[kept])


class TraceFile:
    """The traces of a SEG-Y file.

    The file is open only while it is read, so that threads and processes may share an instance.

    Args:
        path: the file.
        layout: where everything is in the file.
        zero: stored integer that stands for an amplitude of 0.
    """

    def __init__(self, path: Path, layout: SegyLayout, zero: int = 0) -> None:
        self.path = path
        self.layout = layout
        self.zero = zero

    def headers(
        self,
        fields: Iterable[int],
        count: int | None = None,
        progress: Progress | None = None,
    ) -> Headers:
        """Read header fields, in one pass through the file.

        Args:
            fields: first byte of each field.
            count: number of traces from the first one; None for all.
            progress: called with the traces read and the number there are.
        """
        layout = self.layout
        count = layout.traces if count is None else min(count, layout.traces)
        kinds = {byte: np.dtype(layout.order + SHORT_FIELDS.get(byte, "i4")) for byte in fields}
        found = {byte: np.empty(count, np.int32) for byte in kinds}
        empty, zero = np.empty((2, count), np.bool_)
        for first, rows in self._pieces([(0, count)]):
            part = slice(first, first + len(rows))
            for byte, kind in kinds.items():
                column = np.ascontiguousarray(rows[:, byte - 1 : byte - 1 + kind.itemsize])
                found[byte][part] = column.view(kind)[:, 0]
            samples = rows[:, layout.sample_columns]
            width = samples.shape[1] // layout.samples
            empty[part] = _all_equal(samples, layout.samples)
            zero[part] = empty[part] & (samples[:, :width] == 0).all(axis=1)
            if progress is not None:
                progress(part.stop, count)
        return Headers(found, zero if empty.all() else empty)

    def raw_samples(self, first: int, count: int) -> NDArray[np.uint8]:
        """Read the stored bytes of consecutive traces, `uint8 (count, bytes)`, headers left out."""
        columns = self.layout.sample_columns
        return np.concatenate(
            [rows[:, columns].copy() for _, rows in self._pieces([(first, count)])]
        )

    def samples(self, traces: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read the amplitudes of some traces.

        Args:
            traces: `(n,)` indices in the file from 0, in any order.

        Returns:
            `float32 (n, samples)`, in the order of `traces`.
        """
        layout = self.layout
        amplitudes = np.empty((len(traces), layout.samples), np.float32)
        order = np.argsort(traces, kind="stable")
        wanted = traces[order]
        bridge = 1 + _BRIDGE // layout.trace_bytes
        ends = np.flatnonzero(np.diff(wanted) > bridge)
        firsts = wanted[np.r_[0, ends + 1]] if len(wanted) else wanted
        lasts = wanted[np.r_[ends, len(wanted) - 1]] if len(wanted) else wanted
        stretches = zip(firsts.tolist(), (lasts + 1 - firsts).tolist(), strict=True)
        for start, rows in self._pieces(stretches):
            low, high = np.searchsorted(wanted, [start, start + len(rows)])
            raw = rows[wanted[low:high] - start, layout.sample_columns]
            amplitudes[order[low:high]] = decode_samples(
                raw, layout.sample_format, layout.order, self.zero
            )
        return amplitudes

    def _pieces(
        self, stretches: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Read stretches of traces, some megabytes at a time.

        Args:
            stretches: first trace and number of traces of each.

        Yields:
            index of the first trace, and `uint8 (n, trace_bytes)`, which the next piece overwrites.
        """
        length = self.layout.trace_bytes
        most = max(1, _PIECE // length)
        buffer = np.empty((0, length), np.uint8)
        with self.path.open("rb", buffering=0) as stream:
            for first, count in stretches:
                if len(buffer) < min(most, count):
                    buffer = np.empty((min(most, count), length), np.uint8)
                for start in range(first, first + count, most):
                    rows = buffer[: min(most, first + count - start)]
                    self._fill(stream, rows, self.layout.data_start + start * length)
                    yield start, rows

    def _fill(self, stream: FileIO, rows: NDArray[np.uint8], offset: int) -> None:
        view = memoryview(rows.reshape(-1).data)
        stream.seek(offset)
        while view:
            read = stream.readinto(view)
            if not read:
                raise SurveyError(
                    f"{self.path} was truncated while it was being read",
                    expected=f"{self.layout.traces:,} traces, as when the file was opened",
                    fix="wait until the file is complete and run the command again",
                )
            view = view[read:]


def _all_equal(samples: NDArray[np.uint8], count: int) -> NDArray[np.bool_]:
    """Mask of rows whose stored samples are all equal; most are ruled out by a few of them."""
    rows = samples.reshape(len(samples), count, -1)
    first = rows[:, :1]
    empty: NDArray[np.bool_] = (rows[:, :: max(1, count // _PROBES)] == first).all(axis=(1, 2))
    doubtful = np.flatnonzero(empty)
    empty[doubtful] = (rows[doubtful] == first[doubtful]).all(axis=(1, 2))
    return empty
