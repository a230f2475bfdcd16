"""How the bytes of a SEG-Y file lie: found from the file itself, its headers taken as hints.

Byte order, sample format, samples of a trace and where traces begin are claims of the header. Each
claim is tried against the size of the file and against the other claims, and nothing is allocated
by one. Numbers of bytes are counted from 1, as in the standard.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from diapir.errors import SurveyError
from diapir.surveys.segy.sample_formats import (
    FORMAT_NAMES,
    SAMPLE_TYPES,
    ByteOrder,
    TextEncoding,
    looks_like_text,
    sample_bytes,
    text_encoding,
)
from diapir.surveys.survey import Endian

HEAD = 3600
"""Bytes of the text header and the binary header."""
TRACE_HEADER = 240
TEXT_BLOCK = 3200
_ORDERS: dict[Endian, ByteOrder] = {"big": ">", "little": "<"}
_ENDIAN_BYTE, _ENDIAN_CONSTANT, _PAIRWISE_SWAPPED = 3297, 0x01020304, 0x02010403
_MOST_EXTENSIONS = 128
"""Extended text headers and trace header extensions beyond this are no claim to follow."""
_END_OF_TEXT = "((SEG:ENDTEXT))"


@dataclass(frozen=True)
class Layout:
    """Where everything is in a SEG-Y file.

    Attributes:
        endian: byte order.
        revision: major and minor.
        sample_format: code of the samples.
        samples: of each trace.
        interval: between samples as the file says, in ms or m; 0 where it says nothing.
        encoding: alphabet of the text header.
        data_start: bytes before the first trace.
        header_bytes: of each trace: 240, more with extensions of revision 2.
        traces: whole traces in the file.
        leftover: bytes behind the last whole trace that are not accounted for.
        extended: extended text headers.
        notes: what in the headers is odd, for the user.
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
        """Byte order as NumPy and struct write it."""
        return _ORDERS[self.endian]

    @property
    def trace_bytes(self) -> int:
        """Bytes of a trace, its header included."""
        return self.header_bytes + self.samples * sample_bytes(self.sample_format)


def find_layout(
    path: Path, *, endian: Endian | None = None, sample_format: int | None = None
) -> Layout:
    """Find out how a SEG-Y file is to be read.

    Args:
        path: the file.
        endian: byte order, where it is known.
        sample_format: code of the samples, where it is known.

    Returns:
        The layout; `leftover` is not 0 where the file is cut or its traces vary in length.

    Raises:
        SurveyError: it is no SEG-Y file, or one in a format that cannot be read.
        OSError: as the system gives it.
    """
    if sample_format is not None and sample_format not in SAMPLE_TYPES:
        raise _unknown_format(path, sample_format)
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(HEAD)
        if len(head) < HEAD or size < HEAD + TRACE_HEADER:
            raise SurveyError(
                f"{path} has {size:,} bytes and is no SEG-Y file",
                expected="a text header of 3,200 bytes, a binary header of 400 and traces",
                fix="give a SEG-Y file, a Zarr store or an .npy array",
            )
        orders: tuple[Endian, ...] = (endian,) if endian else ("big", "little")
        found = [
            (_plausibility(stream, claim, head), claim)
            for order in orders
            for claim in _claims(stream, head, size, order, sample_format)
        ]
    if not found:
        raise _no_layout(path, head, orders)
    return max(found, key=lambda pair: pair[0])[1]  # the first of equals: big-endian, binary header


def _claims(
    stream: BinaryIO, head: bytes, size: int, endian: Endian, sample_format: int | None
) -> Iterator[Layout]:
    """Layouts that the headers may mean in this byte order."""
    order = _ORDERS[endian]

    def field(kind: str, byte: int) -> int:
        return int(struct.unpack_from(order + kind, head, byte - 1)[0])

    code = sample_format or field("h", 3225)
    if code not in SAMPLE_TYPES:
        return
    major, minor = head[3500], head[3501]
    notes = []
    if major == 0 and minor in (1, 2):  # written as a number where the standard has two
        major, minor = minor, 0
    revision = (major, minor) if major in (1, 2) else (0, 0)
    if (major, minor) != revision:
        notes.append(f"revision {major}.{minor} is unknown and read as 0")
    encoding = text_encoding(head[:TEXT_BLOCK])
    extended = field("h", 3505) if revision[0] else 0
    if extended == -1:
        extended = _count_text_headers(stream, encoding)
    if not 0 <= extended <= _MOST_EXTENSIONS:
        notes.append(f"{extended} extended text headers are not credible and read as none")
        extended = 0
    start, header_bytes, end = HEAD + TEXT_BLOCK * extended, TRACE_HEADER, size
    interval = field("H", 3217) / 1000
    counts = [field("H", 3221)]
    if revision[0] == 2:
        extensions = field("i" if revision[1] == 0 else "h", 3507)
        if 0 < extensions <= _MOST_EXTENSIONS:
            header_bytes += TRACE_HEADER * extensions
        if HEAD <= field("Q", 3521) < size:
            start = field("Q", 3521)
        if 0 < field("i", 3529) <= (size - start) // TEXT_BLOCK:
            end -= TEXT_BLOCK * field("i", 3529)
        if field("i", 3269) > 0:  # where it is set the old field does not count
            counts = [field("i", 3269)]
        exact = float(struct.unpack_from(order + "d", head, 3272)[0])
        if 0 < exact < 1e9:
            interval = exact / 1000
    stream.seek(start)
    first = stream.read(TRACE_HEADER)
    if len(first) == TRACE_HEADER:
        counts.append(int(struct.unpack_from(order + "H", first, 114)[0]))
        interval = interval or int(struct.unpack_from(order + "H", first, 116)[0]) / 1000
    for place, samples in enumerate(dict.fromkeys(counts)):
        length = header_bytes + samples * sample_bytes(code)
        if samples <= 0 or start + header_bytes > end:
            continue
        odd = [f"traces hold {samples} samples; the binary header says {counts[0]}"] * (place > 0)
        yield Layout(
            endian=endian,
            revision=revision,
            sample_format=code,
            samples=samples,
            interval=interval,
            encoding=encoding,
            data_start=start,
            header_bytes=header_bytes,
            traces=(end - start) // length,
            leftover=(end - start) % length,
            extended=extended,
            notes=(*notes, *odd),
        )


def _plausibility(stream: BinaryIO, claim: Layout, head: bytes) -> int:
    """How well a layout agrees with the file; only comparisons of it mean something."""
    score = 0
    if claim.revision[0] == 2:
        constant = struct.unpack_from(claim.order + "I", head, _ENDIAN_BYTE - 1)[0]
        score += 16 * (constant == _ENDIAN_CONSTANT)
    score += 8 * (claim.leftover == 0 and claim.traces > 0)
    score += 4 * (claim.traces > 0)
    stream.seek(claim.data_start)
    first = stream.read(TRACE_HEADER)
    if len(first) == TRACE_HEADER:
        samples, interval = struct.unpack_from(claim.order + "HH", first, 114)
        score += 2 * (samples == claim.samples)
        score += interval / 1000 == claim.interval
    score += 0.1 <= claim.interval <= 32  # 100 µs … 32 ms, or as many metres
    return score + (struct.unpack_from(claim.order + "h", head, 3502)[0] in (0, 1))


def _count_text_headers(stream: BinaryIO, encoding: TextEncoding) -> int:
    """How many extended text headers there are where the header leaves it to an end mark."""
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
    """Why no claim holds."""
    codes = {order: struct.unpack_from(_ORDERS[order] + "h", head, 3224)[0] for order in orders}
    if struct.unpack_from(">I", head, _ENDIAN_BYTE - 1)[0] == _PAIRWISE_SWAPPED:
        return SurveyError(
            f"{path} has the bytes of each 16-bit word swapped",
            expected="big- or little-endian SEG-Y",
            fix="write the file again as big-endian SEG-Y",
        )
    if looks_like_text(head[:TEXT_BLOCK]):
        for code in codes.values():
            if code in FORMAT_NAMES and code not in SAMPLE_TYPES:
                return _unknown_format(path, code)
        if any(code in SAMPLE_TYPES for code in codes.values()):
            return SurveyError(
                f"{path} says that its traces have no samples",
                expected="the number of samples at bytes 3221-3222 of the header",
                fix="write the file again, or correct its binary header",
            )
    said = " and ".join(f"{code} read as {order}-endian" for order, code in codes.items())
    return SurveyError(
        f"{path} is no SEG-Y file that can be understood: its format code is {said}",
        expected=f"one of the codes {', '.join(map(str, SAMPLE_TYPES))} at bytes 3225-3226",
        fix="give --endian and --sample-format where you know them, or another file",
    )


def _unknown_format(path: Path, code: int) -> SurveyError:
    return SurveyError(
        f"{path}: samples of format {code} ({FORMAT_NAMES.get(code, 'unknown')}) cannot be read",
        expected="one of " + ", ".join(f"{key} ({FORMAT_NAMES[key]})" for key in SAMPLE_TYPES),
        fix="write the file again with format 5, or give --sample-format where the code is wrong",
    )
