"""Progress of long work: a bar in a terminal, a line now and then elsewhere, nothing beside it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from diapir.text import duration

LINE_EVERY_S = 5.0
"""Seconds between two lines of progress where there is no terminal."""

PROGRESS_FILE = "DIAPIR_PROGRESS_FILE"
"""Environment variable that names a JSON file to write progress to, for a supervising program."""
_FILE_EVERY_S = 0.3

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""

ShowProgress = Callable[[str], contextlib.AbstractContextManager[Progress]]
"""Opens the progress display of one stage of work, as `progress` and `quiet` do."""


def is_main_process() -> bool:
    """Whether this is the one process of a launch of several that prints and reports."""
    return int(os.environ.get("RANK", "0")) == 0


@contextlib.contextmanager
def progress(doing: str, *, unit: str = "", per: float = 1.0) -> Iterator[Progress]:
    """Show how far long work is, on stderr: a bar in a terminal, else a line every few seconds.

    Args:
        doing: the work, such as "predicting".
        unit: unit of the amounts, such as "Mpx"; with one, the rate is shown as well.
        per: amount that makes one unit.

    Yields:
        To be called with how much is done and how much there is.
    """
    if not is_main_process():
        yield lambda done, total: None
    elif os.environ.get(PROGRESS_FILE):
        yield _ProgressFile(Path(os.environ[PROGRESS_FILE]), doing, unit, per)
    elif sys.stderr.isatty():
        with _bar(doing, unit, per) as show:
            yield show
    else:
        yield _Lines(doing, unit, per)


@contextlib.contextmanager
def quiet(doing: str) -> Iterator[Progress]:
    """Show nothing; otherwise as `progress`."""
    yield lambda done, total: None


class _ProgressFile:
    """Progress as a JSON file: doing, done, total, unit, and seconds left where they are known."""

    def __init__(self, path: Path, doing: str, unit: str, per: float) -> None:
        self._path, self._doing, self._unit, self._per = path, doing, unit, per
        self._next = 0.0
        self._start: tuple[float, int] | None = None
        self._write(0.0, None, None)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        self._start = self._start or (now, done)
        if now < self._next and done < total:
            return
        self._next = now + _FILE_EVERY_S
        rate = (done - self._start[1]) / max(1e-9, now - self._start[0])
        self._write(done / self._per, total / self._per, (total - done) / rate if rate else None)

    def _write(self, done: float, total: float | None, left_s: float | None) -> None:
        content = {"doing": self._doing, "done": done, "total": total, "unit": self._unit}
        scratch = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # progress is not worth stopping for
            scratch.write_text(json.dumps(content | {"left_s": left_s}), encoding="utf-8")
            scratch.replace(self._path)


class _Lines:
    """Progress where there is no terminal: quick work stays silent."""

    def __init__(self, doing: str, unit: str, per: float) -> None:
        self._doing, self._unit, self._per = doing, unit, per
        self._next = time.monotonic() + LINE_EVERY_S
        self._start: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        self._start = self._start or (now, done)
        if now >= self._next:
            self._next = now + LINE_EVERY_S
            amounts = f"{done}/{total}"
            if self._unit:
                amounts = f"{done / self._per:,.1f}/{total / self._per:,.1f} {self._unit}"
                amounts += self._rate(done, total, now, self._start)
            print(f"{self._doing} {amounts}", file=sys.stderr, flush=True)  # noqa: T201

    def _rate(self, done: int, total: int, now: float, start: tuple[float, int]) -> str:
        """Units per second since the first call, and the time left."""
        rate = (done - start[1]) / max(1e-9, now - start[0])
        if not rate:
            return ""
        left = duration((total - done) / rate)
        return f", {rate / self._per:.2f} {self._unit}/s" + (f", {left} left" if left else "")


@contextlib.contextmanager
def _bar(doing: str, unit: str, per: float) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    amounts = [MofNCompleteColumn()] if not unit else [TextColumn("{task.fields[amounts]}")]
    columns = (TextColumn(doing), BarColumn(), *amounts, TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None, amounts="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            shown = f"{done / per:,.1f}/{total / per:,.1f} {unit}"
            shown += f", {speed / per:.2f} {unit}/s" if speed else ""
            bar.update(task, completed=done, total=total, amounts=shown)

        yield show
