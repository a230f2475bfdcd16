"""Names of files and folders that are not complete yet, and the removal of what kills leave.

The names hold host, process id and a random part, so that two processes never share one. Scratch of
a killed process is removed by the next write to the same name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
import zlib
from pathlib import Path

_SUFFIX = ".writing"
_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
_STALE_S = 86_400.0
"""Age in seconds from which scratch of another host counts as abandoned."""
_LONG = 200
"""Bytes of a name from which its scratch names hold a checksum of it instead."""


def scratch_name(path: Path) -> Path:
    """A name beside `path` that no other process uses."""
    part = f"{_HOST}-{os.getpid()}-{os.urandom(4).hex()}"
    return path.with_name(f"{_start(path)}{part}{_SUFFIX}")


def is_scratch(name: str) -> bool:
    """Whether a file of this name is scratch of this module."""
    return name.startswith(".") and name.endswith(_SUFFIX)


def has_scratch(path: Path) -> bool:
    """Whether a path leads through scratch of this module."""
    return any(part.endswith(_SUFFIX) for part in path.parts)


def remove_stale(path: Path) -> None:
    """Remove scratch of `path` whose process has ended, as far as possible."""
    start = _start(path)
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            if entry.name.startswith(start) and entry.name.endswith(_SUFFIX):
                part = entry.name[len(start) : -len(_SUFFIX)]
                if _abandoned(part, entry):
                    remove(Path(entry.path))


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it exists, under a scratch name: a kill leaves none half removed.

    What an earlier removal left behind is removed as well.

    Raises:
        OSError: it cannot be renamed.
    """
    remove_stale(folder)
    if folder.is_dir():
        scratch = scratch_name(folder)
        os.rename(folder, scratch)
        remove(scratch)


def _start(path: Path) -> str:
    """The first part of all scratch names of `path`; names may have 255 bytes on most disks."""
    name = os.fsencode(path.name)
    return f".{zlib.crc32(name):08x}." if len(name) > _LONG else f".{path.name}."


def _abandoned(part: str, entry: os.DirEntry[str]) -> bool:
    """Whether the process named in a scratch name has ended."""
    host, _, rest = part.partition("-")
    process = rest.partition("-")[0]
    if len(host) != len(_HOST) or not process.isdecimal():
        return False  # not a scratch name of this module
    if host != _HOST:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE_S
    return not _alive(int(process))


def _alive(process: int) -> bool:
    if os.name == "nt":  # there, signal 0 would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, as far as possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
