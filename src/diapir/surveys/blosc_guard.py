"""Blosc as Zarr uses it, with its header checked before each chunk is decoded.

The decoder of c-blosc trusts the lengths in the header of a chunk, so that a damaged one makes it
read beyond its buffer and ends the process by a signal; its manual asks callers to compare them
first (`blosc_cbuffer_validate`), which numcodecs does not do. Importing this module registers the
checked codecs, for all Zarr arrays of this process that are opened afterwards.
"""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Any

import numcodecs
import numpy as np
from zarr.codecs import BloscCodec

from diapir.surveys.chunk_guard import check_decoded, register

_HEADER = struct.Struct("<4B3I")
"""Versions, flags, size of an item; then bytes decoded, bytes of a block, bytes of the chunk."""


class CheckedBlosc(numcodecs.Blosc):  # type: ignore[misc]
    """Blosc for numcodecs: Zarr 2, and filters of Zarr 3."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk.

        Raises:
            ValueError: its header does not fit it.
        """
        check_blosc(buf)
        return super().decode(buf, out)


class CheckedBloscCodec(BloscCodec):
    """Blosc for Zarr 3."""

    @cached_property
    def _blosc_codec(self) -> CheckedBlosc:
        settings = super()._blosc_codec.get_config()
        del settings["id"]
        return CheckedBlosc(**settings)


def check_blosc(chunk: Any) -> None:
    """Refuse a chunk whose header does not fit it.

    Args:
        chunk: bytes, or anything with a buffer of them.

    Raises:
        ValueError: it is damaged.
    """
    size = np.asarray(memoryview(chunk)).nbytes
    if size < _HEADER.size:
        raise ValueError(f"a Blosc chunk has {size} bytes, fewer than its header")
    head = np.asarray(memoryview(chunk)).reshape(-1).view(np.uint8)[: _HEADER.size]
    *_, decoded, block, encoded = _HEADER.unpack(head.tobytes())
    if encoded != size:
        raise ValueError(f"a Blosc chunk has {size} bytes, but its header says {encoded}")
    if block > decoded:
        raise ValueError(f"a Blosc chunk has blocks of {block} bytes in {decoded}")
    check_decoded(decoded)


register("blosc", CheckedBloscCodec, CheckedBlosc)
