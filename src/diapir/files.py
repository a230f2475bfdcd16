"""Files that are whole or not there: written under another name, flushed, renamed."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file whole or not at all, and have it on the disk when this returns.

    Args:
        path: its final name; a file that was there is replaced in one step.
        content: bytes, or text that is written as UTF-8.

    Raises:
        OSError: as the system gives it; a file that was there before is untouched.
    """
    scratch = path.with_name(f".{path.name}.writing")
    try:
        with scratch.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(scratch, path)
        sync_folder(path.parent)
    except OSError:
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
