"""Writing files and folders so that they are complete or absent: scratch name, flush, rename.

Also the one policy of what may be overwritten (`claim`), and the one conversion of an OSError
(`disk_errors`). Scratch names hold host, process id and a random part, so that two processes never
share one; they are opened exclusively and without following links. Scratch of a killed process is
removed by the next write to the same name.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from diapir.errors import DataError, DiapirError

_SUFFIX = ".writing"
_HOST = f"{zlib.crc32(socket.gethostname().encode()):08x}"
_STALE_S = 86_400.0
"""Age in seconds from which scratch of another host counts as abandoned."""
_MANY = 64
"""Number of files from which one sync of all disks is faster than one for each file."""
_LONG = 200
"""Bytes of a name from which its scratch names hold a checksum of it instead."""
_FREE_SPACE = "free space, fix the permissions, or choose another --out"


def replace_file(path: Path, content: bytes | memoryview | str) -> None:
    """Write a file completely or not at all; it is on the disk when this returns.

    Args:
        path: its final name; an existing file is replaced in one step.
        content: bytes, or text that is written as UTF-8.

    Raises:
        OSError: from the system; an existing file is unchanged.
    """
    with writing(path) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Write a file piece by piece; it gets its name once it is complete and on the disk.

    Args:
        path: its final name; an existing file is replaced in one step at the end.

    Yields:
        The stream to write to; if the block raises, nothing of it is left.

    Raises:
        OSError: from the system; an existing file is unchanged.
    """
    remove_stale(path)
    scratch = scratch_name(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(scratch, flags | getattr(os, "O_BINARY", 0), 0o666), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(scratch, path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writing_folder(out: Path) -> Iterator[Path]:
    """Fill a folder; it gets its name once it is complete and on the disk.

    An existing folder is first moved to `previous(out)` and removed after the new one has taken its
    name; a kill between the two renames leaves it there. Call `claim` first to make sure that it
    may be replaced.

    Args:
        out: its final name.

    Yields:
        An empty scratch folder beside `out`; if the block raises, nothing of it is left.

    Raises:
        OSError: from the system; an existing folder is unchanged.
    """
    remove_stale(out)
    scratch, before = scratch_name(out), previous(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir()
        yield scratch
        flush_folder(scratch)
        if out.exists():
            _remove(before)
            os.rename(out, before)
        try:
            os.rename(scratch, out)
        except OSError:
            if before.exists():
                os.rename(before, out)
            raise
        sync_folder(out.parent)
        _remove(before)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def previous(out: Path) -> Path:
    """The name of the old folder while a new one replaces it."""
    return out.with_name(f".{out.name}.previous")


def claim(
    out: Path,
    *,
    holds: str | None = None,
    ours: Callable[[Path], bool] = lambda out: False,
    kind: type[DiapirError] = DataError,
    folder: bool = True,
    fix: str = "choose another --out",
) -> None:
    """Refuse to overwrite anything but an earlier result of the same command.

    Args:
        out: where a result is to be written.
        holds: name of an earlier result, such as "an exported model"; None if nothing may be
            replaced.
        ours: whether `out`, which exists, is such a result; an error while reading it means no.
        kind: the error to raise.
        folder: whether the result is a folder, which may also exist and be empty.
        fix: what to do instead, where the command has no `--out`.

    Raises:
        DiapirError: `out` holds something else.
    """
    what = "folder" if folder else "file"
    if not out.is_symlink():
        if not out.exists():
            return
        if folder and out.is_dir() and not any(out.iterdir()):
            return
        if folder == out.is_dir():
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, DiapirError):
                if ours(out):
                    return
    found = f"{out} already exists"
    if out.is_symlink():
        found = f"{out} is a link"
    elif folder and not out.is_dir():
        found = f"{out} is a file"
    elif not folder and out.is_dir():
        found = f"{out} is a folder"
    elif holds:
        found += f" and is not {holds}"
    elif folder:
        found += " and is not empty"
    empty = "new or empty" if folder else "new"
    raise kind(
        found,
        expected=f"a {empty} {what}" + (f", or {holds}, which is replaced" if holds else ""),
        fix=fix,
    )


def check_writable(out: Path, kind: type[DiapirError] = DataError) -> None:
    """Refuse a folder that cannot be written to, before long work on what it is to hold.

    Nothing is left behind, and missing folders are not made.

    Raises:
        DiapirError: of `kind`; the folder, or its nearest parent that exists, is not writable.
    """
    place = out
    while not place.exists() and place != place.parent:
        place = place.parent
    scratch = scratch_name(place / out.name)
    with disk_errors(out, kind):
        os.close(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        scratch.unlink()


@contextlib.contextmanager
def disk_errors(
    path: Path, kind: type[DiapirError] = DataError, *, fix: str = _FREE_SPACE
) -> Iterator[None]:
    """Turn an OSError of writing to `path` into an error that says what to do.

    Raises:
        DiapirError: of `kind`, naming the file that the OSError names, or `path` if it names none
            or a scratch file.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(_named(error) or path, error, kind, fix=fix) from None


def unwritable(
    path: Path | str,
    error: OSError,
    kind: type[DiapirError] = DataError,
    *,
    fix: str = _FREE_SPACE,
) -> DiapirError:
    """The error for a file or folder that cannot be written."""
    return kind(
        f"{path} cannot be written: {error.strerror or error}",
        expected="a writable folder on a disk with free space",
        fix=fix,
    )


def scratch_name(path: Path) -> Path:
    """A name beside `path` that no other process uses."""
    part = f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f"{_start(path)}{part}{_SUFFIX}")


def is_scratch(name: str) -> bool:
    """Whether a file of this name is scratch of this module."""
    return name.startswith(".") and name.endswith(_SUFFIX)


def remove_stale(path: Path) -> None:
    """Remove scratch of `path` whose process has ended, as far as possible."""
    start = _start(path)
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            if entry.name.startswith(start) and entry.name.endswith(_SUFFIX):
                part = entry.name[len(start) : -len(_SUFFIX)]
                if _abandoned(part, entry):
                    _remove(Path(entry.path))


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(folder: Path) -> None:
    """Flush every file below a folder, and every name, to the disk."""
    files = [Path(place) / name for place, _, names in os.walk(folder) for name in names]
    if len(files) >= _MANY and hasattr(os, "sync"):
        os.sync()  # to sync each of thousands of files may take minutes
        return
    for file in files:
        with file.open("rb+" if os.name == "nt" else "rb") as stream:
            os.fsync(stream.fileno())
    for place, _, _ in os.walk(folder):
        sync_folder(Path(place))


def _start(path: Path) -> str:
    """The first part of all scratch names of `path`; names may have 255 bytes on most disks."""
    name = os.fsencode(path.name)
    return f".{zlib.crc32(name):08x}." if len(name) > _LONG else f".{path.name}."


def _named(error: OSError) -> str | None:
    """The file that an error names, unless it is scratch."""
    name = error.filename
    if not isinstance(name, str) or any(part.endswith(_SUFFIX) for part in Path(name).parts):
        return None
    return name


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


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
