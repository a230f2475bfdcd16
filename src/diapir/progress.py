"""Progress of long work: a bar in a terminal, a line now and then elsewhere, nothing beside it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator

LINE_EVERY_S = 5.0
"""Seconds between two lines of progress where there is no terminal."""

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

ShowProgress = Callable[[str], contextlib.AbstractContextManager[Progress]]
"""Opens the progress display of one stage of work, as `progress` and `quiet` do."""


def is_main_process() -> bool:
    """Whether this is the one process of a launch of several that prints and reports."""
    return int(os.environ.get("RANK", "0")) == 0


@contextlib.contextmanager
def progress(doing: str) -> Iterator[Progress]:
    """Show how far long work is, on stderr: a bar in a terminal, else a line every few seconds.

    Args:
        doing: the work, such as "predicting".

    Yields:
        To be called with how much is done and how much there is.
    """
    if not is_main_process():
        yield lambda done, total: None
    elif sys.stderr.isatty():
        with _bar(doing) as show:
            yield show
    else:
        yield _Lines(doing)


@contextlib.contextmanager
def quiet(doing: str) -> Iterator[Progress]:
    """Show nothing; otherwise as `progress`."""
    yield lambda done, total: None


class _Lines:
    """Progress where there is no terminal: quick work stays silent."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._next = time.monotonic() + LINE_EVERY_S

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY_S
            print(f"{self._doing} {done}/{total}", file=sys.stderr, flush=True)  # noqa: T201


@contextlib.contextmanager
def _bar(doing: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
