"""What a verb says on the way, and its answer: for people, or as one JSON object."""

from __future__ import annotations

import contextlib
import json as json_module
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Any, Self, TextIO

from cyclopts import Parameter

LINE_EVERY_S = 5.0
"""Seconds between two lines of progress where there is no terminal."""

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""


@dataclass(frozen=True)
class Answer:
    """What a verb ends with.

    Attributes:
        content: the JSON object of `--json`.
        exit_code: 0, or 2 where the verb did its work and found that something is wrong.
    """

    content: Mapping[str, Any]
    exit_code: int = 0


def is_main_process() -> bool:
    """Whether this is the one process of a launch of several that prints, judges and reports."""
    return int(os.environ.get("RANK", "0")) == 0


class Output:
    """Lines for people on stdout, or one JSON object there and the lines on stderr.

    Processes beside the main one of a launch say nothing.

    Args:
        json: whether stdout is for the JSON object alone.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._stdout: TextIO = sys.stdout
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Take stdout, so that nothing but the answer can reach it under `--json`."""
        self._stdout = sys.stdout
        if not is_main_process():
            silence = self._open.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123 - no Path
            self._open.enter_context(contextlib.redirect_stdout(silence))
        elif self.json:
            self._open.enter_context(contextlib.redirect_stdout(sys.stderr))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give stdout back."""
        self._open.close()

    @property
    def stream(self) -> TextIO:
        """Where the lines of long work go."""
        return sys.stdout

    def say(self, *lines: str) -> None:
        """Print lines for people."""
        for line in lines:
            print(line, flush=True)

    def finish(self, content: Mapping[str, Any]) -> None:
        """Print the JSON object, where it was asked for."""
        if self.json and is_main_process():
            print(json_module.dumps(plain(content), allow_nan=False), file=self._stdout)

    @contextlib.contextmanager
    def progress(self, doing: str) -> Iterator[Progress]:
        """Show how far long work is: a bar in a terminal, else a line every few seconds.

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


class _Lines:
    """Progress where there is no terminal: quick work stays silent."""

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._next = time.monotonic() + LINE_EVERY_S

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + LINE_EVERY_S
            print(f"{self._doing} {done}/{total}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _bar(doing: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def plain(value: Any) -> Any:
    """`value` as JSON can say it: no NumPy scalars, no paths, null for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item"):
        return plain(value.item())
    return str(value)


Injected = Annotated[Output, Parameter(parse=False)]
"""The parameter by which a verb is given its `Output`."""
