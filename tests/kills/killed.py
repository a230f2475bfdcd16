"""Runs the command line, and kills its own process before a file operation.

    python -m tests.kills.killed FOLDER NUMBER RECORD COMMAND…

Operations are those below FOLDER that open a file for writing, or rename, remove or make one; they
are counted from 1. With number 0 nothing is killed, and their count is written to RECORD.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

_CHANGES = frozenset(
    f"os.{name}" for name in ("rename", "remove", "rmdir", "mkdir", "link", "symlink", "truncate")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Counter:
    """An audit hook that counts operations below a folder."""

    def __init__(self, folder: str, number: int) -> None:
        self._folder, self._number = folder, number
        self._lock = threading.RLock()
        self._busy = False
        self.count = 0

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if event != "open" and event not in _CHANGES:
            return
        with self._lock:
            if self._busy:
                return
            self._busy = True
            try:
                if not self._counts(event, args):
                    return
            finally:
                self._busy = False
            self.count += 1
            if self.count == self._number:
                os.kill(os.getpid(), signal.SIGKILL)

    def _counts(self, event: str, args: tuple[object, ...]) -> bool:
        if event == "open":
            path, mode, flags = args
            writes = isinstance(flags, int) and flags & _WRITING
            if not (any(letter in mode for letter in "wax+") if isinstance(mode, str) else writes):
                return False
        else:
            path = args[1] if event == "os.rename" else args[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        name = os.fsdecode(path)
        handles = [one for one in args[1:] if isinstance(one, int) and one > 2]
        if not Path(name).is_absolute() and handles and event != "open":  # in an open folder
            try:
                name = str(Path(f"/proc/self/fd/{handles[-1]}").readlink() / name)
            except OSError:
                return False
        # not resolved: a link that is renamed or removed is meant itself
        return os.path.abspath(name).startswith(self._folder + os.sep)  # noqa: PTH100


def main() -> None:
    folder, number, record, *words = sys.argv[1:]
    counter = Counter(os.path.realpath(folder), int(number))
    sys.addaudithook(counter)
    from diapir.cli import main as command_line

    try:
        command_line(words)
    finally:
        if counter.count and not int(number):
            Path(record).write_text(str(counter.count))


if __name__ == "__main__":
    main()
