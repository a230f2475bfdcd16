"""Kills and full disks at an exact moment of some work, which runs in a fork."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diapir.errors import DiapirError
from tests.helpers.operations import Fault, Operations, fail, kill

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")

Work = Callable[[Path], object]
"""Work on what it writes into a folder."""


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, hidden ones too; nothing for a folder."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        )
        for path in folder.rglob("*")
    }


def killed_at(number: int, folder: Path, work: Callable[[], object]) -> bool:
    """Do some work in a fork that is killed before its operation `number`, from 1, in a folder.

    Returns:
        Whether it came to that operation; if not, the work has ended well.
    """
    return _forked(number, folder, work, kill) == -signal.SIGKILL


def failing_at(number: int, folder: Path, work: Callable[[], object], error: int) -> int | None:
    """Do some work in a fork in which operation `number` and all after it fail.

    Returns:
        The exit status of the work: 0 if it ended well, 1 after a traceback, 2 where it ended by
        calling `os._exit(2)`.
    """
    return _forked(number, folder, work, lambda: fail(error), stays=True)


def moments(step: int = 1) -> Iterator[int]:
    """Numbers of operations to try, every `step`-th from 1."""
    return itertools.count(1, step)


def completes_when_killed(
    folder: Path, work: Work, *, step: int, begin: Work = lambda parent: None
) -> int:
    """Kill some work before every `step`-th operation; done again, it has to leave what it should.

    Args:
        folder: an empty folder; the work is done in folders below it.
        work: what is done, at last in full.
        step: between operations.
        begin: what is there before.

    Returns:
        The number of kills.
    """

    def interrupted(number: int, parent: Path) -> bool:
        return killed_at(number, parent, lambda: work(parent))

    return _completes(folder, work, step, begin, interrupted)


def completes_when_full(
    folder: Path,
    work: Work,
    *,
    step: int,
    named: Callable[[Path], str] = str,
    kept: Callable[[Path], object] = contents,
) -> int:
    """Fill the disk at every `step`-th operation; the same work completes when there is room.

    Args:
        folder: an empty folder; the work is done in folders below it.
        work: what is done, at last in full.
        step: between operations.
        named: what the error has to name for a folder, beside the bytes free.
        kept: what has to be equal in two folders at the end.

    Returns:
        The number of full disks.
    """

    def refused(parent: Path) -> None:
        try:
            work(parent)
        except DiapirError as error:
            parts = (named(parent), "No space left on device", " free")
            os._exit(2 if all(part in error.found for part in parts) else 3)

    def interrupted(number: int, parent: Path) -> bool:
        status = failing_at(number, parent, lambda: refused(parent), errno.ENOSPC)
        assert status in (0, 2), number
        return status == 2

    return _completes(folder, work, step, lambda parent: None, interrupted, kept)


def _completes(
    folder: Path,
    work: Work,
    step: int,
    begin: Work,
    interrupted: Callable[[int, Path], bool],
    kept: Callable[[Path], object] = contents,
) -> int:
    def begun(name: str) -> Path:
        parent = folder / name
        parent.mkdir()
        begin(parent)
        return parent

    whole = begun("whole")
    work(whole)
    expected = kept(whole)
    for done, number in enumerate(moments(step)):
        parent = begun(str(number))
        if not interrupted(number, parent):
            return done
        work(parent)
        assert kept(parent) == expected, number
    raise AssertionError  # `moments` never end


def _forked(
    number: int,
    folder: Path,
    work: Callable[[], object],
    fault: Fault,
    *,
    stays: bool = False,
) -> int:
    child = os.fork()
    if not child:
        try:
            Operations(folder, number, fault, stays=stays).install()
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
