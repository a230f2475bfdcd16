"""Progress of several trainings: the current one, how far it is, and when all will be done.

In a terminal a bar and the latest line of the current training, with a line above for each event;
elsewhere these lines alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from diapir.run.folder import LOG
from diapir.text import duration

_TAIL_BYTES = 4096
_EPOCH = re.compile(r"Epoch \[(\d+)/(\d+)\](?:, Batch \[(\d+)/(\d+)\])?.*")


class Forecast:
    """Estimates the time left from the trainings already finished, or from the budget.

    Args:
        total: number of trainings.
        budget_s: seconds of each, if there is a budget.
        took_s: seconds that each finished training took.
    """

    def __init__(self, total: int, budget_s: float | None, took_s: list[float]) -> None:
        self._total = total
        self._budget_s = budget_s
        self._took_s = took_s
        self.settled = len(took_s)
        """Number of trainings that are done or have failed."""

    def done(self, took_s: float) -> None:
        """One training is done."""
        self._took_s.append(took_s)
        self.settled += 1

    def failed(self) -> None:
        """One training has failed; its time says nothing about the others."""
        self.settled += 1

    def left_s(self, elapsed_s: float, share: float) -> float | None:
        """Seconds until all are done; None if that cannot be estimated yet.

        Args:
            elapsed_s: seconds of the current training so far.
            share: share of its epochs that are done, in [0, 1]; 0 if unknown.
        """
        whole = [sum(self._took_s) / len(self._took_s)] if self._took_s else []
        if self._budget_s is not None:
            whole.append(self._budget_s)
        if not whole and share:
            whole.append(elapsed_s / share)
        if not whole:
            return None
        # with a budget the clock ends a training, not its epochs
        now = elapsed_s / share if share and self._budget_s is None else whole[0]
        after = max(0, self._total - self.settled - 1)
        return max(0.0, now - elapsed_s) + after * whole[0]


class Display:
    """Shows trainings on a stream; used as a context manager.

    Args:
        stream: where to show them; None for silence.
        total: number of trainings.
        budget_s: seconds of each, if there is a budget.
        took_s: seconds that each finished training took.
    """

    def __init__(
        self, stream: TextIO | None, *, total: int, budget_s: float | None, took_s: list[float]
    ) -> None:
        self._total = total
        self._forecast = Forecast(total, budget_s, took_s)
        self._place = ""
        self._share = 0.0
        self._before_s = 0.0
        self._started = time.monotonic()
        self._console = Console(file=stream, quiet=stream is None)
        terminal = stream is not None and stream.isatty() and not self._console.is_dumb_terminal
        self._bar = _Bar(self._console, disable=not terminal)
        self._task = self._bar.add_task("", total=total, left="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def start(self, model: str, seed: int, number: int, spent_s: float) -> None:
        """A training starts, or resumes after `spent_s` seconds."""
        self._place = f"[{number}/{self._total}] {model}, seed {seed}"
        self._bar.line, self._share = "", 0.0
        self._before_s, self._started = spent_s, time.monotonic()
        verb = f"resumes after {duration(spent_s)}" if spent_s >= 1 else "starts"
        left = self._left()
        self._say(f"{self._place}: {verb}" + (f"; {left}" if left else ""))

    def look(self, run: Path) -> None:
        """Read the progress of the current training from its log."""
        self._bar.line = last_epoch_line(run / LOG) or self._bar.line
        self._share = share_done(self._bar.line)
        self._draw()

    def done(self, result: str, took_s: float) -> None:
        """The current training is done."""
        self._forecast.done(took_s)
        self._share = 0.0
        self._say(f"{self._place}: done in {duration(took_s)}: {result}")

    def failed(self, reason: str) -> None:
        """The current training has failed."""
        self._forecast.failed()
        self._share = 0.0
        self._say(f"{self._place}: FAILED: {reason}")

    def stopping(self) -> None:
        """The current training was asked to stop."""
        self._say(f"{self._place}: stopping after a checkpoint (interrupt again to stop at once)")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
        self._draw()

    def _draw(self) -> None:
        done = self._forecast.settled + self._share
        self._bar.update(
            self._task, description=self._place, completed=done, left=self._left(), refresh=True
        )

    def _left(self) -> str:
        elapsed = self._before_s + time.monotonic() - self._started
        left = self._forecast.left_s(elapsed, self._share)
        if left is None:
            return ""
        end = datetime.now() + timedelta(seconds=left)
        clock = f"{end:%H:%M}" if end.date() == datetime.now().date() else f"{end:%a %H:%M}"
        return f"all done about {clock}" + (f", in {duration(left)}" if left >= 1 else "")


class _Bar(Progress):
    """A bar over all trainings, with the latest line of the current one below it."""

    def __init__(self, console: Console, *, disable: bool) -> None:
        self.line = ""
        super().__init__(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[left]}", style="cyan", markup=False),
            console=console,
            # no drawing thread: signals are handled between two drawings, not within one
            auto_refresh=False,
            transient=True,
            expand=True,
            disable=disable,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The parts to draw, from top to bottom."""
        yield from super().get_renderables()
        yield Text(self.line, no_wrap=True, overflow="ellipsis", style="dim")


def share_done(line: str) -> float:
    """Share of a training that is done, in [0, 1], from a line of its log; 0 if unknown."""
    match = _EPOCH.fullmatch(line)
    if not match:
        return 0.0
    epoch, epochs, batch, batches = match.groups()
    done = int(epoch) - 1 + ((int(batch) + 1) / int(batches) if batch else 1)
    return min(1.0, done / int(epochs))


def last_epoch_line(log: Path) -> str:
    """The last epoch line of a run's log; empty if there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            tail = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for line in tail.splitlines() if _EPOCH.fullmatch(line)]
    return lines[-1] if lines else ""
