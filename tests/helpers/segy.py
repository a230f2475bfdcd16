"""A small SEG-Y writer for tests, independent of the reader.

write_segy(path, amplitude)                         # (I, X, S): a 3D survey
write_segy(path, amplitude, present=mask)           # … with gaps
write_segy(path, line, inlines=None)                # (X, S): a line with CDP numbers
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

CODES = {2: "i4", 3: "i2", 5: "f4", 6: "f8", 8: "i1"}
"""NumPy types of the sample formats; format 1 is IBM floating point."""
SHORT_FIELDS = frozenset({29, 35, 69, 71, 89, 105, 109, 115, 117, 157, 203, 215})
"""Bytes of the trace header where a 16-bit number begins; the others are 32-bit."""


def ibm_bits(values: ArrayLike) -> NDArray[np.uint32]:
    """Numbers as IBM floating point, rounded to 24 bits: `uint32`."""
    numbers = np.asarray(values, np.float64)
    size = np.abs(numbers)
    bits = np.zeros(numbers.shape, np.uint32)
    some = size > 0
    _, twos = np.frexp(size[some])
    sixteens = -(-twos // 4)
    mantissa = np.rint(np.ldexp(size[some], 24 - 4 * sixteens)).astype(np.uint64)
    over = mantissa >> np.uint64(24) > 0  # rounding carried into a 25th bit
    mantissa[over] >>= np.uint64(4)
    sixteens = sixteens + over
    sign = (numbers[some] < 0).astype(np.uint64) << np.uint64(31)
    exponent = (sixteens + 64).astype(np.uint64) << np.uint64(24)
    bits[some] = (sign | exponent | mantissa).astype(np.uint32)
    return bits


def encode_samples(values: ArrayLike, sample_format: int, order: str = ">") -> NDArray[np.generic]:
    """Samples as stored in a file; integers are rounded and clipped."""
    if sample_format == 1:
        return ibm_bits(values).astype(f"{order}u4")
    kind = np.dtype(order + CODES[sample_format])
    numbers = np.asarray(values)
    if kind.kind == "i":
        limits = np.iinfo(kind)
        numbers = np.clip(np.rint(numbers), limits.min, limits.max)
    return numbers.astype(kind)


def write_segy(
    path: Path,
    amplitude: ArrayLike,
    *,
    inlines: ArrayLike | None = (),
    crosslines: ArrayLike | None = (),
    present: ArrayLike | None = None,
    sort: Literal["inline", "crossline"] = "inline",
    revision: tuple[int, int] = (1, 0),
    endian: Literal["big", "little"] = "big",
    sample_format: int = 5,
    interval_us: int = 4000,
    delay: int = 0,
    inline_byte: int = 189,
    crossline_byte: int = 193,
    x_byte: int = 181,
    y_byte: int = 185,
    scalar: int = -10,
    origin: tuple[float, float] = (600_000.0, 6_000_000.0),
    steps: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 25.0), (12.5, 0.0)),
    text: str | bytes = "C 1 MADE FOR A TEST",
    encoding: Literal["ascii", "cp037"] = "cp037",
    extended: int = 0,
    extra_headers: int = 0,
    fields: dict[int, ArrayLike] | None = None,
    binary: dict[int, bytes] | None = None,
    cut: int = 0,
) -> Path:
    """Write a SEG-Y file and return its path.

    Args:
        path: file to write.
        amplitude: `(I, X, S)`, or `(X, S)` for a line.
        inlines: the I inline numbers, 100… if empty; None leaves them out of the headers.
        crosslines: the X crossline numbers, 300… if empty; None leaves them out of the headers. For
            a line without inlines they are the CDP numbers at byte 21.
        present: `bool (I, X)`, True where a trace is written; all by default.
        sort: the number that changes slowest from trace to trace.
        revision: major and minor.
        endian: byte order.
        sample_format: 1, 2, 3, 5, 6 or 8.
        interval_us: sample interval in µs.
        delay: time of the first sample, in ms.
        inline_byte: first byte of the inline number.
        crossline_byte: first byte of the crossline number.
        x_byte: first byte of the easting.
        y_byte: first byte of the northing.
        scalar: coordinate scalar at byte 71: negative divides.
        origin: easting and northing of the first position.
        steps: easting and northing from one inline to the next, and from one crossline to the next.
        text: the text header.
        encoding: encoding of the text header.
        extended: number of extended text headers.
        extra_headers: further 240-byte headers per trace (revision 2).
        fields: further trace header fields by first byte: one number, or one per trace.
        binary: bytes that overwrite the file header, by position from 1.
        cut: bytes left out at the end.
    """
    values = np.asarray(amplitude)
    cube = values if values.ndim == 3 else values[None]
    rows, columns, samples = cube.shape
    there = np.ones((rows, columns), bool) if present is None else np.asarray(present, bool)
    row, column = np.nonzero(there)
    if sort == "crossline":
        change = np.lexsort((row, column))
        row, column = row[change], column[change]
    order = ">" if endian == "big" else "<"

    header = np.zeros((len(row), 240 * (1 + extra_headers)), np.uint8)

    def put(byte: int, numbers: ArrayLike) -> None:
        kind = np.dtype(f"{order}i{2 if byte in SHORT_FIELDS else 4}")
        full = np.broadcast_to(np.asarray(numbers), len(row))
        field = full.astype(np.int64).astype(kind)
        header[:, byte - 1 : byte - 1 + kind.itemsize] = field.view(np.uint8).reshape(len(row), -1)

    put(1, np.arange(1, len(row) + 1))
    put(5, np.arange(1, len(row) + 1))
    put(29, 1)
    put(71, scalar)
    put(109, delay)
    put(115, samples if samples < 2**15 else 0)
    put(117, interval_us)
    factor = -1 / scalar if scalar < 0 else max(scalar, 1)
    east = origin[0] + row * steps[0][0] + column * steps[1][0]
    north = origin[1] + row * steps[0][1] + column * steps[1][1]
    if x_byte and y_byte:
        put(x_byte, np.rint(east / factor))
        put(y_byte, np.rint(north / factor))
    if inlines is not None:
        numbers = np.asarray(inlines)
        put(inline_byte, (numbers if numbers.size else 100 + np.arange(rows))[row])
    if crosslines is not None:
        numbers = np.asarray(crosslines)
        byte = 21 if inlines is None else crossline_byte
        put(byte, (numbers if numbers.size else 300 + np.arange(columns))[column])
    for byte, content in (fields or {}).items():
        put(byte, content)

    head = bytearray(3600)
    lines = text.encode(encoding) if isinstance(text, str) else text
    head[:3200] = lines[:3200].ljust(3200, " ".encode(encoding))
    struct.pack_into(f"{order}H", head, 3216, interval_us)
    struct.pack_into(f"{order}H", head, 3220, samples if samples < 2**16 else 0)
    struct.pack_into(f"{order}h", head, 3224, sample_format)
    struct.pack_into(f"{order}h", head, 3228, 4)
    head[3500:3502] = bytes(revision)
    if revision[0] >= 1:
        struct.pack_into(f"{order}hh", head, 3502, 1, extended)
    if revision[0] >= 2:
        struct.pack_into(f"{order}i", head, 3268, samples)
        struct.pack_into(f"{order}I", head, 3296, 0x01020304)
        struct.pack_into(f"{order}{'h' if revision[1] else 'i'}", head, 3506, extra_headers)
    for byte, content in (binary or {}).items():
        head[byte - 1 : byte - 1 + len(content)] = content
    body = encode_samples(cube[row, column], sample_format, order)
    traces = np.concatenate([header, body.view(np.uint8).reshape(len(row), -1)], axis=1)
    whole = bytes(head) + b" " * 3200 * extended + traces.tobytes()
    path.write_bytes(whole[: len(whole) - cut])
    return path
