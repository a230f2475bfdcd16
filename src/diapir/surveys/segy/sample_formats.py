"""Decode SEG-Y: sample formats, and text headers in EBCDIC or ASCII."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

ByteOrder = Literal[">", "<"]
TextEncoding = Literal["ebcdic", "ascii"]

SAMPLE_TYPES = {
    1: "u4",
    2: "i4",
    3: "i2",
    5: "f4",
    6: "f8",
    7: "V3",
    8: "i1",
    9: "i8",
    10: "u4",
    11: "u2",
    12: "u8",
    15: "V3",
    16: "u1",
}
"""NumPy type of the stored samples, by format code; integers of 3 bytes have none of their own."""
UNSIGNED = frozenset({10, 11, 12, 15, 16})
FORMAT_NAMES = {
    1: "IBM floating point, 4 bytes",
    2: "integer, 4 bytes",
    3: "integer, 2 bytes",
    4: "fixed point with gain, 4 bytes",
    5: "IEEE floating point, 4 bytes",
    6: "IEEE floating point, 8 bytes",
    7: "integer, 3 bytes",
    8: "integer, 1 byte",
    9: "integer, 8 bytes",
    10: "unsigned integer, 4 bytes",
    11: "unsigned integer, 2 bytes",
    12: "unsigned integer, 8 bytes",
    15: "unsigned integer, 3 bytes",
    16: "unsigned integer, 1 byte",
}
"""Names of the format codes of all revisions of the standard."""
_LINE_ENDS = 3
"""Line feeds from which a text header is lines of any length."""
CODE_PAGES = {"ebcdic": "cp037", "ascii": "latin-1"}

# 16^(e-65) for every first byte of an IBM number, its sign included; the mantissa is kept in
# [1, 16), so that a product overflows only where the number itself is beyond float32
_POWERS = 4.0 * (np.arange(128) - 65)
_MAGNITUDES = np.exp2(np.clip(_POWERS, -149, 127)) * (_POWERS >= -149)
_IBM_SCALE = np.concatenate([_MAGNITUDES, -_MAGNITUDES]).astype(np.float32)
_MANTISSA_SCALE = np.float32(2.0**-20)

_ENOUGH_SAMPLES = 100
_ENOUGH_DIGITS = 8
"""Different leading digits without which samples are too few values to tell formats apart."""
_NEVER_IBM = 0.02
"""Share of samples with a leading zero digit above which they are not IBM floating point."""
_NEAR_THE_MIDDLE = 0.15
"""Distance of the median from the middle, in lengths of the range, up to which it is the zero."""
_MOST_NULS, _LEAST_READABLE = 0.5, 0.95


def sample_bytes(sample_format: int) -> int:
    """Bytes of one sample."""
    return np.dtype(SAMPLE_TYPES[sample_format]).itemsize


def decode_samples(
    raw: NDArray[np.uint8], sample_format: int, order: ByteOrder, zero: int = 0
) -> NDArray[np.float32]:
    """Decode stored samples.

    Args:
        raw: `uint8 (traces, bytes)`.
        sample_format: format code.
        order: byte order of the file.
        zero: stored integer that stands for an amplitude of 0.

    Returns:
        `float32 (traces, samples)`. Numbers too large for `float32` become infinite.
    """
    stored = _stored(raw, sample_format, order)
    if sample_format == 1:
        return _ibm_to_float(stored.astype(np.uint32))
    with np.errstate(over="ignore", invalid="ignore"):
        if zero:
            return (stored.astype(np.float64) - zero).astype(np.float32)
        return stored.astype(np.float32)


def _stored(raw: NDArray[np.uint8], sample_format: int, order: ByteOrder) -> NDArray[Any]:
    """The stored numbers, `(traces, samples)`."""
    kind = SAMPLE_TYPES[sample_format]
    if kind != "V3":
        return np.ascontiguousarray(raw).view(order + kind)
    triples = np.ascontiguousarray(raw).reshape(len(raw), raw.shape[1] // 3, 3)
    triples = triples.astype(np.int32)
    high, middle, low = (triples[..., place] for place in ((0, 1, 2), (2, 1, 0))[order == "<"])
    numbers = high << 16 | middle << 8 | low
    if sample_format not in UNSIGNED:
        numbers -= (numbers >= 2**23) * np.int32(2**24)
    return numbers


def middle_of_unsigned(raw: NDArray[np.uint8], sample_format: int, order: ByteOrder) -> int:
    """The stored integer that stands for an amplitude of 0, where unsigned samples have one.

    Programs that cannot write negative numbers add half of the range that they use.

    Args:
        raw: `uint8 (traces, bytes)`, the samples of some traces.
        sample_format: format code.
        order: byte order of the file.

    Returns:
        128 where 8 bits are used, 2048 where 12 are; 0 where samples are signed, or do not lie
        about the middle.
    """
    if sample_format not in UNSIGNED:
        return 0
    stored = _stored(raw, sample_format, order)
    stored = stored[stored != 0]
    if not stored.size:
        return 0
    full = 1 << int(stored.max()).bit_length()
    median = float(np.median(stored.astype(np.float64)))
    return full // 2 if abs(median - full / 2) <= _NEAR_THE_MIDDLE * full else 0


def _ibm_to_float(bits: NDArray[np.uint32]) -> NDArray[np.float32]:
    mantissa = (bits & np.uint32(0xFFFFFF)).astype(np.float32)
    mantissa *= _MANTISSA_SCALE
    with np.errstate(over="ignore", under="ignore"):
        mantissa *= _IBM_SCALE[bits >> np.uint32(24)]
    return mantissa


def other_float_format(raw: NDArray[np.uint8], sample_format: int, order: ByteOrder) -> int | None:
    """The other floating-point format, where the samples clearly are in that one.

    The first hexadecimal digit of an IBM mantissa is never 0; in IEEE numbers, the same four bits
    are 0 once in sixteen.

    Args:
        raw: `uint8 (traces, bytes)`, the samples of some traces.
        sample_format: format code that the file states.
        order: byte order of the file.

    Returns:
        5 where the file states 1, and 1 where it states 5; None where the stated format fits or is
        neither.
    """
    if sample_format not in (1, 5):
        return None
    bits = np.ascontiguousarray(raw).view(order + "u4").astype(np.uint32)
    bits = bits[bits & np.uint32(0x7FFFFFFF) != 0]
    digits = np.bincount(bits >> np.uint32(20) & np.uint32(15), minlength=16)
    if bits.size < _ENOUGH_SAMPLES or np.count_nonzero(digits[1:]) < _ENOUGH_DIGITS:
        return None
    without = digits[0] / bits.size
    if sample_format == 1:
        return 5 if without > _NEVER_IBM else None
    return 1 if without == 0 else None


def text_encoding(raw: bytes) -> TextEncoding:
    """The encoding in which a text header is readable."""
    return max(("ebcdic", "ascii"), key=lambda name: _readable(raw, name))


def decode_text(raw: bytes, encoding: TextEncoding) -> list[str]:
    """The lines of a text header: as its line ends divide it, or every 80 characters.

    Unprintable characters become spaces.
    """
    text = raw.decode(CODE_PAGES[encoding])
    if text.count("\n") >= _LINE_ENDS:
        lines = text.rstrip("\0 \r\n").splitlines()
        return ["".join(s if s.isprintable() else " " for s in line).rstrip() for line in lines]
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return [shown[start : start + 80].rstrip() for start in range(0, len(shown), 80)]


def looks_like_text(raw: bytes) -> bool:
    """Whether a text header is readable in either encoding, or blank."""
    return max(_readable(raw, "ebcdic"), _readable(raw, "ascii")) > 0.8


def is_text(raw: bytes) -> bool:
    """Whether bytes are text in either encoding; zeros alone are not."""
    if not raw or raw.count(0) > _MOST_NULS * len(raw):
        return False
    return max(_readable(raw, "ebcdic"), _readable(raw, "ascii")) >= _LEAST_READABLE


def _readable(raw: bytes, encoding: TextEncoding) -> float:
    """Share of characters that are printable ASCII; NUL is padding in either encoding."""
    text = raw.decode(CODE_PAGES[encoding])
    plain = sum(sign.isascii() and (sign.isprintable() or sign in "\0\r\n") for sign in text)
    return plain / max(1, len(text))
