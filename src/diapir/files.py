"""Files and folders that are whole or absent: written under a scratch name, flushed, renamed.

Also the one policy of what may be overwritten (`claim`) and the one translation of a disk's errors
(`disk_errors`). Scratch names carry host, process and a random part, so that two processes never
share one, and are opened exclusively without following links. What a killed process left behind is
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
"""Age at which scratch of another host is taken for abandoned, in seconds."""
_FREE_SPACE = "free space, fix the permissions, or choose another --out"


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
    """Fill a folder, and have it under its name only once it is whole and on the disk.

    A folder that was there is moved aside (`previous`) and removed after the new one has taken its
    name; a kill between the two renames leaves it under that name. Ask `claim` first whether it may
    be replaced.

    Args:
        out: its final name.

    Yields:
        an empty scratch folder beside it; where the block raises, nothing is left of it.

    Raises:
        OSError: as the system gives it; a folder that was there before is untouched.
    """
    remove_stale(out)
    scratch, before = scratch_name(out), previous(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir()
        yield scratch
        _flush(scratch)
        if out.exists():
            if before.exists():
                shutil.rmtree(before)
            os.rename(out, before)
        try:
            os.rename(scratch, out)
        except OSError:
            if before.exists():
                os.rename(before, out)
            raise
        sync_folder(out.parent)
        shutil.rmtree(before, ignore_errors=True)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def previous(out: Path) -> Path:
    """Where the former content of a folder is while a new one takes its name."""
    return out.with_name(f".{out.name}.previous")


def claim(
    out: Path,
    *,
    holds: str | None = None,
    ours: Callable[[Path], bool] = lambda out: False,
    kind: type[DiapirError] = DataError,
    folder: bool = True,
) -> None:
    """Refuse to overwrite anything but an earlier result of the same command.

    Args:
        out: where a result is to be written.
        holds: what an earlier result is called, such as "an exported model"; None where none may
            be replaced.
        ours: whether `out`, which exists, is such a result; errors of reading it mean no.
        kind: the error to raise.
        folder: whether the result is a folder, which may also exist and be empty.

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
        fix="choose another --out",
    )


@contextlib.contextmanager
def disk_errors(
    path: Path, kind: type[DiapirError] = DataError, *, fix: str = _FREE_SPACE
) -> Iterator[None]:
    """Turn the system's errors of writing to `path` into one that says what to do.

    Raises:
        DiapirError: of `kind`, naming the file the system named, else `path`.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(error.filename or path, error, kind, fix=fix) from None


def unwritable(
    path: Path | str,
    error: OSError,
    kind: type[DiapirError] = DataError,
    *,
    fix: str = _FREE_SPACE,
) -> DiapirError:
    """The error of a file or folder that cannot be written."""
    return kind(
        f"{path} cannot be written: {error.strerror or error}",
        expected="a place that can be written, on a disk with free space",
        fix=fix,
    )


def scratch_name(path: Path) -> Path:
    """A name beside `path` that no other process uses."""
    part = f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{part}{_SUFFIX}")


def remove_stale(path: Path) -> None:
    """Remove scratch of `path` whose process is gone; what cannot be removed stays."""
    start = f".{path.name}."
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            if entry.name.startswith(start) and entry.name.endswith(_SUFFIX):
                part = entry.name[len(start) : -len(_SUFFIX)]
                if _abandoned(part, entry):
                    _remove(Path(entry.path))


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _abandoned(part: str, entry: os.DirEntry[str]) -> bool:
    """Whether the process that a scratch name carries is gone."""
    host, _, rest = part.partition("-")
    process = rest.partition("-")[0]
    if len(host) != len(_HOST) or not process.isdecimal():
        return False  # a name of somebody else's
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


def _flush(folder: Path) -> None:
    """Have every file below a folder, and every name, on the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            with (Path(place) / name).open("rb") as stream:
                os.fsync(stream.fileno())
        sync_folder(Path(place))
