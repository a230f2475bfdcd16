"""Writing files and folders so that they are complete or absent: scratch name, flush, rename.

Also the one policy of what may be overwritten (`claim`), and the one conversion of an OSError
(`disk_errors`). Scratch is opened exclusively and without following links, and a folder is written
by one process at a time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from diapir.errors import DataError, DiapirError
from diapir.locks import lock_beside, locked
from diapir.scratch import has_scratch, is_scratch, remove, remove_stale, scratch_name
from diapir.text import size

_MANY = 64
"""Number of files from which one sync of all disks is faster than one for each file."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a full disk, and of a full quota."""
_NOTHING_LEFT = 65_536
"""Free bytes below which a write that failed without a reason failed for lack of space."""
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
    except BaseException as error:
        written, left = _size(scratch), _free(path.parent)
        remove(scratch)
        if isinstance(error, OSError):
            raise _named_finally(error, path, written, left) from None
        raise


@contextlib.contextmanager
def writing_folder(out: Path) -> Iterator[Path]:
    """Fill a folder; it gets its name once it is complete and on the disk.

    An existing folder is first moved to `previous(out)` and removed after the new one has taken its
    name; a kill between the two renames leaves it there, and the next call puts it back before it
    begins. Call `claim` first to make sure that it may be replaced.

    Args:
        out: its final name.

    Yields:
        An empty scratch folder beside `out`; if the block raises, nothing of it is left.

    Raises:
        BlockingIOError: another process is writing it.
        OSError: from the system; an existing folder is unchanged.
    """
    with locked(lock_beside(out), out):
        yield from _written(out)


def _written(out: Path) -> Iterator[Path]:
    remove_stale(out)
    scratch, before = scratch_name(out), previous(out)
    if before.exists() and not out.exists():
        os.rename(before, out)
    try:
        scratch.mkdir()
        yield scratch
        flush_folder(scratch)
        if out.exists():
            remove(before)
            os.rename(out, before)
        try:
            os.rename(scratch, out)
        except OSError:
            if before.exists():
                os.rename(before, out)
            raise
        sync_folder(out.parent)
        remove(before)
    except BaseException as error:
        written, left = _size(scratch), _free(out.parent)
        remove(scratch)
        if isinstance(error, OSError):
            raise _named_finally(error, out, written, left) from None
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
) -> bool:
    """Refuse to overwrite anything but an earlier result of the same command.

    Args:
        out: where a result is to be written.
        holds: name of an earlier result, such as "an exported model"; None if nothing may be
            replaced.
        ours: whether `out`, which exists, is such a result; an error while reading it means no.
        kind: the error to raise.
        folder: whether the result is a folder, which may also exist and be empty.
        fix: what to do instead, where the command has no `--out`.

    Returns:
        Whether `out` is such a result, which will be replaced.

    Raises:
        DiapirError: `out` holds something else.
    """
    what = "folder" if folder else "file"
    if not out.is_symlink():
        if not out.exists():
            return False
        # scratch is what a killed process left of its first file
        if folder and out.is_dir() and all(is_scratch(file.name) for file in out.iterdir()):
            return False
        if folder == out.is_dir():
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, DiapirError):
                if ours(out):
                    return True
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
    remove_stale(place / out.name)
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
    if isinstance(error, BlockingIOError):
        return kind(
            f"{path} is {error.strerror}",
            expected="a place that no other process is writing to",
            fix="wait until that process ends, stop it, or choose another --out",
        )
    reason = error.strerror or str(error)
    if error.errno in FULL:
        reason = _with_free(reason, Path(path))
    return kind(
        f"{path} cannot be written: {reason}",
        expected="a writable folder on a disk with free space",
        fix=fix,
    )


def give_usual_mode(path: Path) -> None:
    """Give a file the permissions of a new file, as the user's umask sets them.

    Some libraries write files as temporary ones, which only their owner may read.

    Raises:
        OSError: from the system.
    """
    scratch = scratch_name(path)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
    finally:
        os.close(handle)
        scratch.unlink()
    path.chmod(mode)


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


def _named(error: OSError) -> str | None:
    """The file that an error names, unless it is scratch."""
    name = error.filename
    return name if isinstance(name, str) and not has_scratch(Path(name)) else None


def _named_finally(error: OSError, path: Path, written: int, left: int | None) -> OSError:
    """An error of writing scratch under the final name; of a full disk, with the space it lacks.

    Args:
        error: what was raised.
        path: the final name.
        written: bytes of the scratch.
        left: free bytes beside it.
    """
    number, text = error.errno, error.strerror or str(error)
    if number is None and left is not None and left < _NOTHING_LEFT:
        # writers of images and arrays say only that they could not write
        number, text = errno.ENOSPC, os.strerror(errno.ENOSPC)
    full = number in FULL
    if _named(error) or (error.filename is None and not full):
        return error  # of another file
    if full:
        text = _with_free(text, path, written)
    return OSError(number, text, str(path))


def _with_free(text: str, path: Path, written: int = 0) -> str:
    """What an error of a full disk says, with the space that writing `path` lacks.

    Args:
        text: what it says; unchanged if it says so already, of a file within a folder.
        path: what was to be written.
        written: bytes of it for which there was room.
    """
    free = _free(path)
    if free is None or " free" in text:
        return text
    needed = f"more than {size(written)} needed, " if written >= 1000 else ""
    return f"{text}: {needed}{size(free)} free"


def _free(path: Path) -> int | None:
    """Free bytes where a path is, or is to be."""
    for place in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            return shutil.disk_usage(place).free
    return None


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    total = 0
    with contextlib.suppress(OSError):
        total = path.stat().st_size if path.is_file() else 0
        for place, _, names in os.walk(path):
            total += sum((Path(place) / name).lstat().st_size for name in names)
    return total
