"""Decoders of Zarr chunks that stop at the size which the chunk should have.

A few kilobytes of gzip or Zstandard decode to gigabytes, and the decoders of numcodecs follow them
until the memory is full. Here each compares with `chunk_bytes`, which `ZarrArray` sets while it
reads. Importing this module registers the decoders, for all Zarr arrays of this process that are
opened afterwards. Blosc has its own module.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cached_property
from typing import Any

import numcodecs
import numpy as np
from numcodecs.compat import ensure_bytes, ndarray_copy
from zarr import config
from zarr.codecs import GzipCodec, ZstdCodec
from zarr.registry import register_codec

from diapir.surveys.zstd_frames import decoded_bytes

_SLACK = 1 << 16
"""Bytes for headers and checksums of codecs, in chunks that are small."""
_chunk_bytes: ContextVar[int | None] = ContextVar("chunk_bytes", default=None)


@contextlib.contextmanager
def chunk_bytes(size: int) -> Iterator[None]:
    """State the size of the decoded chunks that are read within, also by threads of Zarr.

    Args:
        size: of a whole chunk in bytes; a codec may still decode to somewhat more, as other codecs
            may follow.
    """
    token = _chunk_bytes.set(size)
    try:
        yield
    finally:
        _chunk_bytes.reset(token)


def check_decoded(size: int) -> None:
    """Refuse a chunk that decodes to far more than it should.

    Args:
        size: to which it decodes, in bytes.

    Raises:
        ValueError: it is too much.
    """
    limit = _limit()
    if limit is not None and size > limit:
        raise ValueError(_too_large())


def _limit() -> int | None:
    expected = _chunk_bytes.get()
    return None if expected is None else 2 * expected + _SLACK


def _too_large() -> str:
    return f"a chunk decodes to far more than the {_chunk_bytes.get():,} bytes that it should hold"


def _read_all(file: io.BufferedIOBase | gzip.GzipFile, out: Any) -> Any:
    """What a decoder gives, up to the limit."""
    limit = _limit()
    with file:
        decoded = file.read(-1 if limit is None else limit + 1)
    check_decoded(len(decoded))
    return ndarray_copy(decoded, out)


class CheckedGZip(numcodecs.GZip):  # type: ignore[misc]
    """Gzip that stops."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk, as numcodecs does."""
        return _read_all(gzip.GzipFile(fileobj=io.BytesIO(ensure_bytes(buf))), out)


class CheckedBZ2(numcodecs.BZ2):  # type: ignore[misc]
    """Bzip2 that stops."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk, as numcodecs does."""
        return _read_all(bz2.BZ2File(io.BytesIO(ensure_bytes(buf))), out)


class CheckedLZMA(numcodecs.LZMA):  # type: ignore[misc]
    """LZMA that stops."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk, as numcodecs does."""
        stream = io.BytesIO(ensure_bytes(buf))
        return _read_all(lzma.LZMAFile(stream, format=self.format, filters=self.filters), out)


class CheckedZlib(numcodecs.Zlib):  # type: ignore[misc]
    """Zlib that stops."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk, as numcodecs does."""
        decoder = zlib.decompressobj()
        limit = _limit()
        decoded = decoder.decompress(ensure_bytes(buf), 0 if limit is None else limit + 1)
        check_decoded(len(decoded))
        if not decoder.eof:
            raise ValueError("a zlib chunk is cut off")
        return ndarray_copy(decoded, out)


class CheckedLZ4(numcodecs.LZ4):  # type: ignore[misc]
    """LZ4 that believes no size in advance."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk, as numcodecs does."""
        check_decoded(int.from_bytes(ensure_bytes(buf)[:4], "little"))
        return super().decode(buf, out)


class CheckedZstd(numcodecs.Zstd):  # type: ignore[misc]
    """Zstandard that stops."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode a chunk, as numcodecs does."""
        expected, limit = _chunk_bytes.get(), _limit()
        if expected is None or limit is None:
            return super().decode(buf, out)
        size, known = decoded_bytes(ensure_bytes(buf))
        if size > limit and not known:  # an upper bound: the chunk fits exactly, or is refused
            try:
                return super().decode(buf, np.empty(expected, np.uint8))
            except RuntimeError:
                raise ValueError(_too_large()) from None
        check_decoded(size)
        return super().decode(buf, out)


class NoPickle(numcodecs.Pickle):  # type: ignore[misc]
    """Pickled chunks, which run code: older numcodecs unpickle them."""

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Refuse a chunk."""
        raise ValueError("its chunks are pickled, and to read them would run code")


class CheckedGzipCodec(GzipCodec):
    """Gzip for Zarr 3."""

    @cached_property
    def _gzip_codec(self) -> CheckedGZip:
        return CheckedGZip(self.level)


class CheckedZstdCodec(ZstdCodec):
    """Zstandard for Zarr 3."""

    @cached_property
    def _zstd_codec(self) -> CheckedZstd:
        return CheckedZstd(level=self.level, checksum=self.checksum)


def register(name: str, codec: type, *others: Callable[..., Any]) -> None:
    """Have Zarr use a codec.

    Args:
        name: of it in metadata.
        codec: for Zarr 3.
        others: for numcodecs: Zarr 2, and filters of Zarr 3.
    """
    for other in others:
        numcodecs.registry.register_codec(other, name)
    register_codec(name, codec)
    config.set({f"codecs.{name}": f"{codec.__module__}.{codec.__qualname__}"})


register("gzip", CheckedGzipCodec, CheckedGZip)
register("zstd", CheckedZstdCodec, CheckedZstd)
for _name, _codec in (
    ("bz2", CheckedBZ2), ("lzma", CheckedLZMA), ("zlib", CheckedZlib), ("lz4", CheckedLZ4),
    ("pickle", NoPickle),
):  # fmt: skip
    numcodecs.registry.register_codec(_codec, _name)
