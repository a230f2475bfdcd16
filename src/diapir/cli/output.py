"""What a verb says on the way, and its answer: for people, or as one JSON object."""

from __future__ import annotations

import contextlib
import json as json_module
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Any, Self, TextIO

from cyclopts import Parameter

from diapir.progress import Progress, is_main_process, progress
from diapir.text import plain


@dataclass(frozen=True)
class Answer:
    """What a verb ends with.

    Attributes:
        content: the JSON object of `--json`.
        exit_code: 0, or 2 where the verb did its work and found that something is wrong.
    """

    content: Mapping[str, Any]
    exit_code: int = 0


class Output:
    """Lines for people on stdout, or one JSON object there and the lines on stderr.

    Processes beside the main one of a launch say nothing.

    Args:
        json: whether stdout is for the JSON object alone.
        command: the command line that was typed, without --json and --debug.
    """

    def __init__(self, *, json: bool, command: str = "") -> None:
        self.json = json
        self.command = command
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

    def progress(self, doing: str) -> contextlib.AbstractContextManager[Progress]:
        """Show how far long work is; see `diapir.progress`."""
        return progress(doing)


Injected = Annotated[Output, Parameter(parse=False)]
"""The parameter by which a verb is given its `Output`."""
