"""Faults at an exact operation of this process on a folder, seen by an audit hook.

Operations are those that open a file for writing, or make, rename, truncate or remove one or a
folder; they are counted from 1. What native code does beside Python is not seen.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

_CHANGES = frozenset(
    f"os.{name}" for name in ("rename", "remove", "rmdir", "mkdir", "link", "symlink", "truncate")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

Fault = Callable[[], object]


class Operations:
    """An audit hook that counts operations below a folder; a process can never remove it again.

    Args:
        folder: whose operations count.
        number: the operation that meets the fault; 0 for none.
        fault: called before that operation.
        stays: whether it is called before all later operations, too.
    """

    def __init__(self, folder: Path, number: int, fault: Fault, *, stays: bool = False) -> None:
        self._folder = os.path.realpath(folder) + os.sep
        self._number, self._fault, self._stays = number, fault, stays
        self._lock = threading.RLock()
        self._busy = False
        self.seen: list[str] = []
        """The audit event of each operation so far."""

    def install(self) -> None:
        sys.addaudithook(self)

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if event != "open" and event not in _CHANGES:
            return
        with self._lock:
            if self._busy:
                return
            self._busy = True
            try:
                if self._counts(event, args):
                    self.seen.append(event)
                    beyond = len(self.seen) - self._number
                    if self._number and (beyond == 0 or (self._stays and beyond > 0)):
                        self._fault()
            finally:
                self._busy = False

    def _counts(self, event: str, args: tuple[object, ...]) -> bool:
        if event == "open":
            path, mode, flags = args
            writes = isinstance(flags, int) and flags & _WRITING
            if not (any(letter in mode for letter in "wax+") if isinstance(mode, str) else writes):
                return False
        else:
            path = args[1] if event == "os.rename" else args[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # a descriptor: opened by name before
        name = os.fsdecode(path)
        handles = [one for one in args[1:] if isinstance(one, int) and one > 2]
        if not Path(name).is_absolute() and handles and event != "open":  # in an open folder
            try:
                name = str(Path(f"/proc/self/fd/{handles[-1]}").readlink() / name)
            except OSError:
                return False
        # not resolved: a link that is renamed or removed is meant itself
        return os.path.abspath(name).startswith(self._folder)  # noqa: PTH100


def kill() -> None:
    """End this process as `kill -9` and a power cut do."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int = errno.ENOSPC) -> None:
    """Fail as on a full disk, or with another error."""
    raise OSError(number, os.strerror(number))


def tear(size: int) -> Fault:
    """A fault that ends the process where it first writes beyond `size` bytes of a file.

    The file is left with those bytes. To be called in the main thread.
    """
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
