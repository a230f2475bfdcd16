"""Write predictions as SEG-Y: the input's traces in file order, with new samples.

Trace headers are copied as bytes, many at a time. The output is what workstations load: revision 1,
big-endian, IEEE floating point. The text header of the input follows diapir's own lines, in
extended text headers where it does not fit. The header fields of a little-endian input are
byte-swapped; nothing else changes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diapir.errors import SurveyError
from diapir.files import writing
from diapir.surveys.segy.layout.binary_header import HEAD, TEXT_BLOCK
from diapir.surveys.segy.layout.segy_layout import SegyLayout
from diapir.surveys.segy.layout.trace_marks import TRACE_HEADER
from diapir.surveys.segy.sample_formats import decode_text
from diapir.surveys.segy.text_header import output_text

ReadStored = Callable[[slice, slice], NDArray[Any]]
"""Reads stored values of a part of the grid, `(inlines, crosslines, samples)`."""
ToSamples = Callable[[NDArray[Any]], NDArray[np.float32]]
"""Converts stored values of some traces, `(traces, samples)`, to samples; NaN is written as 0."""

MOST_SAMPLES = 65535
"""Samples per trace that a revision 1 header can state."""
_MOST_DELAY = 2**15 - 1
"""Largest delay that a trace header can state, before its scalar."""
_PIECE = 8 * 2**20
"""Bytes of traces written at once."""
_IEEE = 5

_TRACE_FIELDS = (
    *(4,) * 7,  # 1: sequence numbers to the number in the ensemble
    *(2,) * 4,  # 29: identification, stacking, use
    *(4,) * 8,  # 37: offset, elevations, depths
    *(2,) * 2,  # 69: scalars
    *(4,) * 4,  # 73: source and group
    *(2,) * 46,  # 89: units, times, filters
    *(4,) * 5,  # 181: coordinates, inline, crossline, shot point
    *(2,) * 2,  # 201: scalar, unit of the samples
    *(4, 2, 2, 2, 2),  # 205: transduction constant, unit, device, scalar of times
    *(2,),  # 217: source type
    *(2,) * 3,  # 219: directions
    *(4, 2, 2),  # 225: source measurement
)
"""Widths of the fields of a revision 1 trace header; bytes after 232 are unassigned."""
_BINARY_FIELDS = ((3201, 3, 4), (3213, 24, 2), (3501, 0, 2), (3503, 2, 2))
"""Fields of the binary header: first byte, number, width. The revision has no byte order."""


@dataclass(frozen=True)
class SegyInput:
    """The file whose trace headers and trace order are kept.

    Attributes:
        path: the file.
        layout: where everything is in the file.
        cells: `int64 (traces,)`, index of each trace in the flattened grid; −1 for none.
        part: whether the grid is a part of the file's, and traces outside it are left out.
        start: time or depth of the first sample, where the samples are a part of the file's; their
            number and start replace those in the trace headers. None keeps the headers.
    """

    path: Path
    layout: SegyLayout
    cells: NDArray[np.int64]
    part: bool = False
    start: float | None = None

    @property
    def traces(self) -> int:
        """Number of traces to write."""
        return int(np.count_nonzero(self.cells >= 0)) if self.part else self.layout.traces

    def stretches(self, most: int) -> Iterator[tuple[int, int]]:
        """First trace and number of traces of stretches of the file that hold traces to write.

        Args:
            most: traces of a stretch at most.
        """
        for first in range(0, self.layout.traces, most):
            count = min(most, self.layout.traces - first)
            if self.part:
                wanted = np.flatnonzero(self.cells[first : first + count] >= 0)
                if not len(wanted):
                    continue
                first, count = first + int(wanted[0]), int(wanted[-1] - wanted[0]) + 1
            yield first, count


def write_segy(
    target: Path,
    source: SegyInput,
    shape: tuple[int, int, int],
    read: ReadStored,
    remarks: Sequence[str],
    *,
    values: ToSamples = np.asarray,
    slab: int = 32,
) -> None:
    """Write values on a survey's grid as SEG-Y, whole or not at all.

    Args:
        target: file to write; an existing one is replaced at the end.
        source: the survey's own file, which is only read.
        shape: shape of the grid, `(inlines, crosslines, samples)`.
        read: reads stored values, one slab at a time.
        remarks: lines for the text header, before those of the input.
        values: converts stored values to samples, some traces at a time.
        slab: lines of the grid read at once, along the axis that changes slowest.

    Raises:
        SurveyError: more samples per trace than revision 1 can state, or a target that is the
            source.
        OSError: the disk is full or not writable; no file is left under the final name.
    """
    if shape[2] > MOST_SAMPLES:
        raise SurveyError(
            f"{source.path} has {shape[2]:,} samples per trace",
            expected=f"at most {MOST_SAMPLES:,}, the limit of SEG-Y revision 1",
            fix="use --formats npy, or read the predictions from the store",
        )
    if target.exists() and target.samefile(source.path):
        raise SurveyError(
            f"{target} is the input file",
            expected="a different file for the result",
            fix="choose another --out",
        )
    with source.path.open("rb", buffering=0) as reader, writing(target) as writer:
        reader.seek(0)
        head = reader.read(HEAD + TEXT_BLOCK * source.layout.extended)
        writer.write(_head(head, source.layout, shape[2], remarks))
        slabs = _Slabs(source.cells, shape, read, values, slab)
        for first, headers in _headers(reader, source):
            cells = source.cells[first : first + len(headers)]
            if source.part:
                headers, cells = headers[cells >= 0], cells[cells >= 0]
            if source.start is not None:
                headers = _retimed(headers, shape[2], source.start)
            _write_traces(writer, headers, slabs, cells, shape[2])


def _write_traces(
    writer: Any,
    headers: NDArray[np.uint8],
    slabs: _Slabs,
    cells: NDArray[np.int64],
    samples: int,
) -> None:
    traces = np.zeros(
        len(headers), [("header", np.uint8, TRACE_HEADER), ("samples", ">f4", samples)]
    )
    traces["header"] = headers
    slabs.fill(traces["samples"], cells)
    writer.write(traces.data)


def _retimed(headers: NDArray[np.uint8], samples: int, start: float) -> NDArray[np.uint8]:
    """Trace headers with another number of samples and another time of the first one."""
    scalar = next((by for by in (1, 10, 100, 1000) if (start * by).is_integer()), 1000)
    while scalar > 1 and abs(start * scalar) > _MOST_DELAY:
        scalar //= 10
    changed = headers.copy()
    fields = (
        (115, ">H", samples),
        (109, ">h", round(start * scalar)),
        (215, ">h", -scalar if scalar > 1 else 1),
    )
    for byte, kind, value in fields:
        clipped = value if kind == ">H" else max(-_MOST_DELAY, min(value, _MOST_DELAY))
        stored = np.frombuffer(struct.pack(kind, clipped), np.uint8)
        changed[:, byte - 1 : byte + 1] = stored
    return changed


class _Slabs:
    """Samples in the order of the file's traces, from slabs of the grid read once each."""

    def __init__(
        self,
        cells: NDArray[np.int64],
        shape: tuple[int, int, int],
        read: ReadStored,
        values: ToSamples,
        slab: int,
    ) -> None:
        self._columns = shape[1]
        self._read_stored, self._values = read, values
        self._slab = slab
        known = cells[cells >= 0]
        rows, columns = known // shape[1] // slab, known % shape[1] // slab
        # a slab lies along the number that changes less often from trace to trace
        changes = [int(np.count_nonzero(np.diff(part))) for part in (rows, columns)]
        self._axis = 0 if changes[0] <= changes[1] else 1
        self._held: tuple[int, NDArray[Any]] | None = None

    def fill(self, traces: NDArray[Any], cells: NDArray[np.int64]) -> None:
        """Fill the samples of traces at these cells; −1 keeps zeros."""
        lines = (cells // self._columns, cells % self._columns)
        slabs = np.where(cells < 0, -1, lines[self._axis] // self._slab)
        for slab in np.unique(slabs[slabs >= 0]):
            here = np.flatnonzero(slabs == slab)
            place = [lines[0][here], lines[1][here]]
            place[self._axis] -= slab * self._slab
            values = self._values(self._read(int(slab))[tuple(place)])
            traces[here] = np.nan_to_num(values, copy=False, nan=0.0)

    def _read(self, slab: int) -> NDArray[Any]:
        if self._held is None or self._held[0] != slab:
            self._held = None  # free the old slab before the new one is read
            lines = slice(slab * self._slab, (slab + 1) * self._slab)
            whole = slice(None)
            cut = (lines, whole) if self._axis == 0 else (whole, lines)
            self._held = slab, self._read_stored(*cut)
        return self._held[1]


def _headers(reader: Any, source: SegyInput) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """First trace and big-endian headers `uint8 (n, 240)`, some megabytes of traces at a time."""
    layout = source.layout
    most = max(1, _PIECE // max(layout.trace_bytes, TRACE_HEADER))
    swap = _swapped_bytes() if layout.endian == "little" else None
    rows = np.empty((most, layout.trace_bytes), np.uint8)
    for first, count in source.stretches(most):
        part = rows[:count]
        _read_into(reader, layout.data_start + first * layout.trace_bytes, part)
        headers = part[:, :TRACE_HEADER]
        yield first, headers if swap is None else headers[:, swap]


def _read_into(reader: Any, offset: int, rows: NDArray[np.uint8]) -> None:
    reader.seek(offset)
    view = memoryview(rows.reshape(-1).data)
    while view:
        count = reader.readinto(view)
        if not count:
            raise SurveyError(
                f"{reader.name} was truncated while it was being read",
                expected="the file as it was when the prediction began",
                fix="wait until the file is complete and run the command again",
            )
        view = view[count:]


def _swapped_bytes() -> NDArray[np.intp]:
    """Index in a little-endian trace header of each byte of a big-endian one."""
    places = np.arange(TRACE_HEADER)
    start = 0
    for width in _TRACE_FIELDS:
        places[start : start + width] = places[start : start + width][::-1]
        start += width
    return places


def _head(head: bytes, layout: SegyLayout, samples: int, remarks: Sequence[str]) -> bytes:
    """Text header, binary header and extended text headers of the output.

    Args:
        head: bytes of the input up to the end of its extended text headers.
        layout: of the input.
        samples: samples per trace of the output.
        remarks: lines for the text header.
    """
    texts = [head[:TEXT_BLOCK]]
    texts += [head[at : at + TEXT_BLOCK] for at in range(HEAD, len(head), TEXT_BLOCK)]
    original = [line for text in texts for line in decode_text(text, layout.encoding)]
    text, *extended = output_text(remarks, original)
    binary = bytearray(head[:HEAD])
    if layout.endian == "little":
        for byte, count, width in _BINARY_FIELDS:
            for start in range(byte - 1, byte - 1 + count * width, width):
                binary[start : start + width] = binary[start : start + width][::-1]
    if layout.revision[0] >= 2:  # fields that contradict revision 1
        binary[3260:3300] = bytes(40)
        binary[3506:3532] = bytes(26)
        if 0 < layout.interval * 1000 < 2**16:
            struct.pack_into(">H", binary, 3216, round(layout.interval * 1000))
    struct.pack_into(">H", binary, 3220, samples)
    struct.pack_into(">h", binary, 3224, _IEEE)
    struct.pack_into(">BBhh", binary, 3500, 1, 0, 1, len(extended))  # revision 1.0, one length
    return text + bytes(binary[TEXT_BLOCK:]) + b"".join(extended)
