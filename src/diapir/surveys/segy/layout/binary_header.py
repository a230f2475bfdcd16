"""The binary header of a SEG-Y file: its fields by revision, and what is credible of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from diapir.surveys.hints import Endian
from diapir.surveys.segy.sample_formats import ByteOrder

HEAD = 3600
"""Bytes of the text header and the binary header."""
TEXT_BLOCK = 3200
ORDERS: dict[Endian, ByteOrder] = {"big": ">", "little": "<"}
ENDIAN_BYTE, ENDIAN_CONSTANT, PAIRWISE_SWAPPED = 3297, 0x01020304, 0x02010403
MOST_EXTENSIONS = 128
"""Extended text headers, or trace header extensions, above which the number is not credible."""
_EXTENSIONS_BYTE = 3507
_FIELDS: dict[tuple[int, int], dict[str, tuple[str, int]]] = {
    (0, 0): {
        "interval_us": ("H", 3217),
        "samples": ("H", 3221),
        "sample_format": ("h", 3225),
        "extended_text": ("h", 3505),  # of revision 1, and filled in files that state none
    },
    (2, 0): {
        "long_samples": ("i", 3269),
        "exact_interval_us": ("d", 3273),
        "header_extensions": ("i", _EXTENSIONS_BYTE),
        "first_trace": ("Q", 3521),
        "trailers": ("i", 3529),
    },
    (2, 1): {
        "header_extensions": ("h", _EXTENSIONS_BYTE),
    },
}
"""Type and first byte of fields of the binary header, by the revision that introduces them."""


@dataclass(frozen=True)
class BinaryHeader:
    """The binary header, read in one byte order.

    Attributes:
        endian: the byte order.
        revision: major and minor; (0, 0) where the file states one that is unknown.
        fields: value by name, of those in `_FIELDS` that the revision has.
        extensions: credible numbers of additional trace headers, the revision's own first.
        notes: fields that are not credible and were ignored.
    """

    endian: Endian
    revision: tuple[int, int]
    fields: dict[str, float]
    extensions: tuple[int, ...]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, head: bytes, endian: Endian) -> Self:
        """The header in the first 3600 bytes of a file."""
        major, minor = head[3500], head[3501]
        if major == 0 and minor in (1, 2):  # written as one number where the standard has two
            major, minor = minor, 0
        revision = (major, minor) if major in (1, 2) else (0, 0)
        odd = f"revision {major}.{minor} is unknown, read as revision 0"
        order = ORDERS[endian]
        fields = {
            name: struct.unpack_from(order + kind, head, byte - 1)[0]
            for since, table in _FIELDS.items()
            if since <= revision
            for name, (kind, byte) in table.items()
        }
        # 2.0 and 2.1 write the number in 32 and 16 bits, and programs mix the two up
        stated = int(fields.get("header_extensions", 0))
        others = (
            struct.unpack_from(order + kind, head, _EXTENSIONS_BYTE - 1)[0] for kind in ("h", "i")
        )
        found = [0 if not 0 < count <= MOST_EXTENSIONS else count for count in (stated, *others)]
        notes = () if (major, minor) == revision else (odd,)
        return cls(endian, revision, fields, tuple(dict.fromkeys((*found, 0))), notes)

    @property
    def order(self) -> ByteOrder:
        """Byte order in the notation of NumPy and struct."""
        return ORDERS[self.endian]

    @property
    def samples(self) -> int:
        """Samples per trace; a field of revision 2 that is set replaces the older one."""
        return max(0, self.integer("long_samples")) or self.integer("samples")

    @property
    def interval_us(self) -> float:
        """Sample interval in µs, or in thousandths of the unit of depth; 0 if not stated."""
        exact = self.fields.get("exact_interval_us", 0.0)
        return exact if 0 < exact < 1e9 else self.integer("interval_us")

    def integer(self, name: str) -> int:
        """A field as a whole number; 0 where the revision does not have it."""
        return int(self.fields.get(name, 0))
