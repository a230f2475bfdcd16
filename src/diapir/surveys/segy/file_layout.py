"""The byte layout of a SEG-Y file, found from the file itself; its headers are only hints.

Byte order, sample format, samples per trace and the start of the traces are what the headers state.
Each statement is checked against the size of the file and against the others, and no memory is
allocated because of one. Bytes are counted from 1, as in the standard.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Self

from diapir.errors import SurveyError
from diapir.surveys.hints import Endian, SurveyHints
from diapir.surveys.segy.sample_formats import (
    FORMAT_NAMES,
    SAMPLE_TYPES,
    ByteOrder,
    TextEncoding,
    looks_like_text,
    sample_bytes,
    text_encoding,
)

HEAD = 3600
"""Bytes of the text header and the binary header."""
TRACE_HEADER = 240
TEXT_BLOCK = 3200
_ORDERS: dict[Endian, ByteOrder] = {"big": ">", "little": "<"}
_ENDIAN_BYTE, _ENDIAN_CONSTANT, _PAIRWISE_SWAPPED = 3297, 0x01020304, 0x02010403
_MOST_EXTENSIONS = 128
"""Extended text headers, or trace header extensions, above which the number is not credible."""
_FIELDS: dict[tuple[int, int], dict[str, tuple[str, int]]] = {
    (0, 0): {
        "interval_us": ("H", 3217),
        "samples": ("H", 3221),
        "sample_format": ("h", 3225),
    },
    (1, 0): {
        "extended_text": ("h", 3505),
    },
    (2, 0): {
        "long_samples": ("i", 3269),
        "exact_interval_us": ("d", 3273),
        "header_extensions": ("i", 3507),
        "first_trace": ("Q", 3521),
        "trailers": ("i", 3529),
    },
    (2, 1): {
        "header_extensions": ("h", 3507),
    },
}
"""Type and first byte of fields of the binary header, by the revision that introduces them."""
_END_OF_TEXT = "((SEG:ENDTEXT))"


@dataclass(frozen=True)
class SegyLayout:
    """Byte layout of a SEG-Y file.

    Attributes:
        endian: byte order.
        revision: major and minor.
        sample_format: format code of the samples.
        samples: samples per trace.
        interval: sample interval that the file states, in ms or m; 0 where it states none.
        encoding: encoding of the text header.
        data_start: bytes before the first trace.
        header_bytes: bytes of a trace header: 240, more with extensions of revision 2.
        traces: number of whole traces in the file.
        leftover: bytes after the last whole trace that are not accounted for.
        extended: number of extended text headers.
        notes: oddities of the headers, for the user.
    """

    endian: Endian
    revision: tuple[int, int]
    sample_format: int
    samples: int
    interval: float
    encoding: TextEncoding
    data_start: int
    header_bytes: int
    traces: int
    leftover: int
    extended: int
    notes: tuple[str, ...] = ()

    @property
    def order(self) -> ByteOrder:
        """Byte order in the notation of NumPy and struct."""
        return _ORDERS[self.endian]

    @cached_property
    def trace_bytes(self) -> int:
        """Bytes of a trace, including its header."""
        return self.header_bytes + self.samples * sample_bytes(self.sample_format)


def find_layout(path: Path, hints: SurveyHints) -> SegyLayout:
    """Find how the bytes of a SEG-Y file lie.

    Args:
        path: the file.
        hints: byte order and sample format, where they are known.

    Returns:
        The layout; `leftover` is not 0 where the file is truncated or its traces vary in length.

    Raises:
        SurveyError: the file is not SEG-Y, or its format cannot be read.
        OSError: as the system gives it.
    """
    if hints.sample_format is not None and hints.sample_format not in SAMPLE_TYPES:
        raise _unknown_format(path, hints.sample_format)
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        if len(head) < HEAD or size < HEAD + TRACE_HEADER:
            raise SurveyError(
                f"{path} is not a SEG-Y file: it has only {size:,} bytes",
                expected="a text header of 3,200 bytes, a binary header of 400 bytes, and traces",
                fix="give a SEG-Y file, a Zarr store or an .npy array",
            )
        orders: tuple[Endian, ...] = (hints.endian,) if hints.endian else ("big", "little")
        found = [
            (_plausibility(stream, candidate, head), candidate)
            for order in orders
            for candidate in _candidates(stream, head, size, order, hints.sample_format)
        ]
    if not found:
        raise _no_layout(path, head, orders)
    # the first of equals: big-endian, and the sample count of the binary header
    return max(found, key=lambda pair: pair[0])[1]


@dataclass(frozen=True)
class _BinaryHeader:
    """The binary header, read in one byte order.

    Attributes:
        endian: the byte order.
        revision: major and minor; (0, 0) where the file states one that is unknown.
        fields: value by name, of those in `_FIELDS` that the revision has.
        notes: fields that are not credible and were ignored.
    """

    endian: Endian
    revision: tuple[int, int]
    fields: dict[str, float]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, head: bytes, endian: Endian) -> Self:
        """The header in the first 3600 bytes of a file."""
        major, minor = head[3500], head[3501]
        if major == 0 and minor in (1, 2):  # written as one number where the standard has two
            major, minor = minor, 0
        revision = (major, minor) if major in (1, 2) else (0, 0)
        odd = f"revision {major}.{minor} is unknown, read as revision 0"
        order = _ORDERS[endian]
        fields = {
            name: struct.unpack_from(order + kind, head, byte - 1)[0]
            for since, table in _FIELDS.items()
            if since <= revision
            for name, (kind, byte) in table.items()
        }
        return cls(endian, revision, fields, () if (major, minor) == revision else (odd,))

    def integer(self, name: str) -> int:
        """A field as a whole number; 0 where the revision does not have it."""
        return int(self.fields.get(name, 0))


def _candidates(
    stream: BinaryIO, head: bytes, size: int, endian: Endian, sample_format: int | None
) -> Iterator[SegyLayout]:
    """Layouts that the headers may mean in this byte order."""
    header = _BinaryHeader.read(head, endian)
    code = sample_format or header.integer("sample_format")
    if code not in SAMPLE_TYPES:
        return
    encoding = text_encoding(head[:TEXT_BLOCK])
    extended, notes = _extended_text_headers(stream, header, encoding)
    start, end = _trace_range(header, HEAD + TEXT_BLOCK * extended, size)
    extensions = header.integer("header_extensions")
    credible = 0 < extensions <= _MOST_EXTENSIONS
    header_bytes = TRACE_HEADER * (1 + extensions * credible)
    counts, interval = _counts_and_interval(stream, header, start)
    for index, samples in enumerate(dict.fromkeys(counts)):
        if samples <= 0 or start + header_bytes > end:
            continue
        length = header_bytes + samples * sample_bytes(code)
        odd = f"traces have {samples} samples; the binary header says {counts[0]}"
        yield SegyLayout(
            endian=endian,
            revision=header.revision,
            sample_format=code,
            samples=samples,
            interval=interval,
            encoding=encoding,
            data_start=start,
            header_bytes=header_bytes,
            traces=(end - start) // length,
            leftover=(end - start) % length,
            extended=extended,
            notes=(*header.notes, *notes, *([odd] if index else [])),
        )


def _extended_text_headers(
    stream: BinaryIO, header: _BinaryHeader, encoding: TextEncoding
) -> tuple[int, list[str]]:
    """Number of extended text headers, and a note where the file's number is not credible."""
    count = header.integer("extended_text")
    if count == -1:
        count = _count_text_headers(stream, encoding)
    if 0 <= count <= _MOST_EXTENSIONS:
        return count, []
    return 0, [f"{count} extended text headers are not credible, read as none"]


def _trace_range(header: _BinaryHeader, start: int, size: int) -> tuple[int, int]:
    """Bytes before the first trace and before what follows the last one."""
    stated, trailers = header.integer("first_trace"), header.integer("trailers")
    if HEAD <= stated < size:
        start = stated
    credible = 0 < trailers <= (size - start) // TEXT_BLOCK
    return start, size - TEXT_BLOCK * trailers * credible


def _counts_and_interval(
    stream: BinaryIO, header: _BinaryHeader, start: int
) -> tuple[list[int], float]:
    """Sample counts that the headers state, the binary header's first, and the interval in ms."""
    # a field of revision 2 that is set replaces the older one
    counts = [max(0, header.integer("long_samples")) or header.integer("samples")]
    interval = header.integer("interval_us") / 1000
    exact = header.fields.get("exact_interval_us", 0.0)
    if 0 < exact < 1e9:
        interval = exact / 1000
    stream.seek(start)
    first = stream.read(TRACE_HEADER)
    if len(first) == TRACE_HEADER:
        samples, trace_us = struct.unpack_from(_ORDERS[header.endian] + "HH", first, 114)
        counts.append(samples)
        interval = interval or trace_us / 1000
    return counts, interval


def _plausibility(stream: BinaryIO, layout: SegyLayout, head: bytes) -> int:
    """How well a layout agrees with the file; meaningful only compared with other layouts."""
    score = 0
    if layout.revision[0] == 2:
        constant = struct.unpack_from(layout.order + "I", head, _ENDIAN_BYTE - 1)[0]
        score += 16 * (constant == _ENDIAN_CONSTANT)
    score += 8 * (layout.leftover == 0 and layout.traces > 0)
    score += 4 * (layout.traces > 0)
    stream.seek(layout.data_start)
    first = stream.read(TRACE_HEADER)
    if len(first) == TRACE_HEADER:
        samples, interval = struct.unpack_from(layout.order + "HH", first, 114)
        score += 2 * (samples == layout.samples)
        score += interval / 1000 == layout.interval
    score += 0.1 <= layout.interval <= 32  # 100 µs … 32 ms, or as many metres
    return score + (struct.unpack_from(layout.order + "h", head, 3502)[0] in (0, 1))


def _count_text_headers(stream: BinaryIO, encoding: TextEncoding) -> int:
    """Number of extended text headers, where the binary header leaves it to an end stanza."""
    for count in range(1, _MOST_EXTENSIONS + 1):
        stream.seek(HEAD + TEXT_BLOCK * (count - 1))
        block = stream.read(TEXT_BLOCK)
        if len(block) < TEXT_BLOCK:
            break
        for page in {"ebcdic": ("cp037", "latin-1"), "ascii": ("latin-1", "cp037")}[encoding]:
            if _END_OF_TEXT in block.decode(page).upper().replace(" ", ""):
                return count
    return 0


def _no_layout(path: Path, head: bytes, orders: tuple[Endian, ...]) -> SurveyError:
    """The error of a file that no layout fits."""
    codes = {order: struct.unpack_from(_ORDERS[order] + "h", head, 3224)[0] for order in orders}
    if struct.unpack_from(">I", head, _ENDIAN_BYTE - 1)[0] == _PAIRWISE_SWAPPED:
        return SurveyError(
            f"{path} has the bytes of each 16-bit word swapped",
            expected="big- or little-endian SEG-Y",
            fix="export the file again as big-endian SEG-Y",
        )
    if looks_like_text(head[:TEXT_BLOCK]):
        for code in codes.values():
            if code in FORMAT_NAMES and code not in SAMPLE_TYPES:
                return _unknown_format(path, code)
        if any(code in SAMPLE_TYPES for code in codes.values()):
            return SurveyError(
                f"{path} states 0 samples per trace",
                expected="the number of samples per trace at bytes 3221-3222",
                fix="export the file again, or correct its binary header",
            )
    said = " and ".join(f"{code} read as {order}-endian" for order, code in codes.items())
    return SurveyError(
        f"{path} is not a readable SEG-Y file: its sample format code is {said}",
        expected=f"one of the codes {', '.join(map(str, SAMPLE_TYPES))} at bytes 3225-3226",
        fix="give --endian and --sample-format if you know them, or another file",
    )


def _unknown_format(path: Path, code: int) -> SurveyError:
    return SurveyError(
        f"{path} has samples of format {code} ({FORMAT_NAMES.get(code, 'unknown')}), which diapir "
        "cannot read",
        expected="one of " + ", ".join(f"{key} ({FORMAT_NAMES[key]})" for key in SAMPLE_TYPES),
        fix="export the file again in format 5, or give --sample-format if the code is wrong",
    )
