"""Files that are whole or not there: written under another name, flushed, renamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def replace_file(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file whole or not at all, and have it on the disk when this returns.

    Args:
        path: its final name; a file that was there is replaced in one step.
        content: bytes, or text that is written as UTF-8.

    Raises:
        OSError: as the system gives it; a file that was there before is untouched.
    """
    with writing(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Write a file piece by piece, and have it under its name only once it is whole.

    Args:
        path: its final name; a file that was there is replaced in one step at the end.

    Yields:
        the stream to write to; where the block raises, nothing is left of it.

    Raises:
        OSError: as the system gives it; a file that was there before is untouched.
    """
    scratch = path.with_name(f".{path.name}.writing")
    try:
        with scratch.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(scratch, path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
