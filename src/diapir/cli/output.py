"""Output of a command: lines of text, and its answer as one JSON object."""

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
    """The result of a command.

    Attributes:
        content: the JSON object that `--json` prints.
        exit_code: 0, or 2 if the command did its work but something was wrong with the input.
    """

    content: Mapping[str, Any]
    exit_code: int = 0


class Output:
    """Text on stdout, or, with `--json`, one JSON object on stdout and the text on stderr.

    In a distributed launch only the main process prints.

    Args:
        json: whether stdout is reserved for the JSON object.
        command: the command line that was typed, without --json and --debug.
    """

    def __init__(self, *, json: bool, command: str = "") -> None:
        self.json = json
        self.command = command
        self._stdout: TextIO = sys.stdout
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Redirect stdout, so that with `--json` nothing but the answer is printed there."""
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
        """Restore stdout."""
        self._open.close()

    @property
    def stream(self) -> TextIO:
        """Stream for displays that draw themselves."""
        return sys.stdout

    def say(self, *lines: str) -> None:
        """Print lines of text."""
        for line in lines:
            print(line, flush=True)

    def note(self, *notes: str) -> None:
        """Print what was found in the input and taken for something; the answer has it as well."""
        self.say(*(f"note: {note}" for note in notes))

    def finish(self, content: Mapping[str, Any]) -> None:
        """Print the JSON object, with `--json`."""
        if self.json and is_main_process():
            print(json_module.dumps(plain(content), allow_nan=False), file=self._stdout)

    def progress(
        self, doing: str, *, unit: str = "", per: float = 1.0
    ) -> contextlib.AbstractContextManager[Progress]:
        """Show the progress of long work; see `diapir.progress`."""
        return progress(doing, unit=unit, per=per)


Injected = Annotated[Output, Parameter(parse=False)]
"""The parameter through which a command receives its `Output`."""
