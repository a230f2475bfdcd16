"""Kills and failing disks at an exact moment: before the N-th operation that changes a folder.

The work runs in a fork, whose audit hook sees each file that is opened for writing and each name
that is made, changed or removed below the folder.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")

_NAMES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def killed_at(number: int, folder: Path, work: Callable[[], object]) -> bool:
    """Do some work in a fork that is killed before its operation `number`, from 1, in a folder.

    Returns:
        Whether it came to that operation; if not, the work has ended well.
    """

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    return _forked(number, folder, work, kill) == -signal.SIGKILL


def failing_at(number: int, folder: Path, work: Callable[[], object], error: int) -> int | None:
    """Do some work in a fork in which operation `number` and all after it fail.

    Returns:
        The exit status of the work: 0 if it ended well, 1 after a traceback, 2 where it ended by
        calling `os._exit(2)`.
    """

    def fail() -> None:
        raise OSError(error, os.strerror(error))

    return _forked(number, folder, work, fail, stays=True)


def moments(step: int = 1) -> Iterator[int]:
    """Numbers of operations to try, every `step`-th from 1."""
    return itertools.count(1, step)


def _forked(
    number: int,
    folder: Path,
    work: Callable[[], object],
    fault: Callable[[], None],
    *,
    stays: bool = False,
) -> int:
    child = os.fork()
    if not child:
        try:
            _install(number, folder.resolve(), fault, stays)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _install(number: int, folder: Path, fault: Callable[[], None], stays: bool) -> None:
    """Add the hook, which a process can never remove again."""
    count = 0
    busy = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count, busy
        if busy or not _changes(event, arguments):
            return
        busy = True
        try:
            if _path(event, arguments).is_relative_to(folder):
                count += 1
                if count == number or (stays and count > number):
                    fault()
        finally:
            busy = False

    sys.addaudithook(hook)


def _changes(event: str, arguments: tuple[object, ...]) -> bool:
    if event != "open":
        return event in _NAMES
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITE)


def _path(event: str, arguments: tuple[object, ...]) -> Path:
    named = arguments[1 if event == "os.rename" else 0]
    if not isinstance(named, (str, bytes, os.PathLike)):  # a descriptor: opened by name before
        return Path("/")
    path = Path(os.fsdecode(named))
    if event in ("os.remove", "os.rmdir") and not path.is_absolute():
        descriptor = arguments[-1]
        if isinstance(descriptor, int) and descriptor > 2:  # as `shutil.rmtree` does
            path = Path(f"/proc/self/fd/{descriptor}").readlink() / path
    return Path(os.path.abspath(path))  # noqa: PTH100 - does not follow links
