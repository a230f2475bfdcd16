"""What an adaptation shows while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diapir.progress import ShowProgress, quiet


def _silent(line: str) -> None:
    pass


@dataclass(frozen=True)
class Display:
    """What an adaptation shows.

    Attributes:
        say: prints a line.
        show: shows the progress of a stage.
        resume_with: how to resume, for the message after a signal.
    """

    say: Callable[[str], None] = _silent
    show: ShowProgress = quiet
    resume_with: str = "the same call"
