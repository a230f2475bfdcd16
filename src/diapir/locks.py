"""One process at a time in a place: locks that the system releases when their process ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path


def lock_beside(path: Path) -> Path:
    """The lock file of a file or folder that is written beside it."""
    return path.with_name(f".{path.name}.lock")


@contextlib.contextmanager
def locked(lock: Path, place: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Keep other processes out of a place.

    The folder of the lock file is created where it is missing, and removed again if nothing else
    was put there; so is the lock file. A killed process leaves its lock file behind, unlocked.

    Args:
        lock: the lock file.
        place: what it stands for, to be named in errors.
        wait_s: seconds to wait for another process to leave.

    Raises:
        BlockingIOError: another process is in there.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder = lock.parent
    made = not folder.exists()
    held = FileLock(lock)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=wait_s)
    except Timeout:
        raise BlockingIOError(errno.EAGAIN, f"in use by {_owner(lock)}", str(place)) from None
    except FileExistsError:  # of `mkdir`, where a file is in the way
        text = os.strerror(errno.ENOTDIR)
        raise NotADirectoryError(errno.ENOTDIR, text, str(place)) from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from None
    try:
        with contextlib.suppress(OSError):  # a full disk: then others are not told who holds it
            lock.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)  # while we still hold it
        held.release()
        if made:
            with contextlib.suppress(OSError):  # it is not empty
                folder.rmdir()


def _owner(lock: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        text = lock.read_text(encoding="utf-8")
        if text.isprintable() and text:
            return text
    return "another process"
