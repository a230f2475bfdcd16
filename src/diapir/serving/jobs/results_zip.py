"""All results of a job as one zip, written while it is sent: it is never held as a whole."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_PIECE = 2**20
"""Bytes that are read at once."""


class _Outbox:
    """A stream without positions: keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, content: bytes, /) -> int:
        """Keep a piece."""
        self._parts.append(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Do nothing: pieces are taken."""

    def close(self) -> None:
        """Do nothing, likewise."""

    def take(self) -> bytes:
        """What was written since the last call."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found


def zip_of(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """A zip in pieces. Files are stored as they are: most of them are packed, or do not pack.

    Args:
        files: name in the zip, and place, of each.

    Yields:
        Its bytes, about as many at a time as are read.

    Raises:
        OSError: a file cannot be read, or has gone; the zip is not complete then.
    """
    out = _Outbox()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for name, path in files:
            with path.open("rb") as source, target.open(_entry(name, path), "w") as stream:
                while piece := source.read(_PIECE):
                    stream.write(piece)
                    yield out.take()
            yield out.take()
    yield out.take()


def _entry(name: str, path: Path) -> zipfile.ZipInfo:
    found = path.stat()
    modified = max(time.localtime(found.st_mtime)[:6], (1980, 1, 1, 0, 0, 0))
    entry = zipfile.ZipInfo(name, modified)
    entry.external_attr = 0o644 << 16
    entry.file_size = found.st_size  # decides whether 64-bit sizes are needed
    return entry
