"""What a person sees of several trainings: which is on, how far it is, and when all of them end.

In a terminal a bar and the latest line of the training that is on, with a line above it for each
event; elsewhere these lines alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from diapir.text import duration

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

_TAIL_BYTES = 4096
_EPOCH = re.compile(r"Epoch \[(\d+)/(\d+)\](?:, Batch \[(\d+)/(\d+)\])?.*")


class Forecast:
    """How long trainings will take, from what those before have taken.

    Args:
        total: number of trainings.
        budget_s: seconds of each, where there is a budget.
        took_s: seconds of each that is done already.
    """

    def __init__(self, total: int, budget_s: float | None, took_s: list[float]) -> None:
        self._total = total
        self._budget_s = budget_s
        self._took_s = took_s
        self.settled = len(took_s)
        """Trainings that are done or have failed."""

    def done(self, took_s: float) -> None:
        """One training is done."""
        self._took_s.append(took_s)
        self.settled += 1

    def failed(self) -> None:
        """One training has failed; the time it took says nothing of the others."""
        self.settled += 1

    def left_s(self, elapsed_s: float, share: float) -> float | None:
        """Seconds until all are done; None where nothing can be said yet.

        Args:
            elapsed_s: seconds that the training that is on has taken so far.
            share: how much of its epochs are done, in [0, 1]; 0 where that is not known.
        """
        whole = [sum(self._took_s) / len(self._took_s)] if self._took_s else []
        if self._budget_s is not None:
            whole.append(self._budget_s)
        if not whole and share:
            whole.append(elapsed_s / share)
        if not whole:
            return None
        # with a budget epochs need not end: the clock does
        now = elapsed_s / share if share and self._budget_s is None else whole[0]
        after = max(0, self._total - self.settled - 1)
        return max(0.0, now - elapsed_s) + after * whole[0]


class Display:
    """Shows trainings on a stream; used as a context manager.

    Args:
        stream: where people look.
        total: number of trainings.
        budget_s: seconds of each, where there is a budget.
        took_s: seconds of each that is done already.
    """

    def __init__(
        self, stream: TextIO, *, total: int, budget_s: float | None, took_s: list[float]
    ) -> None:
        self._total = total
        self._forecast = Forecast(total, budget_s, took_s)
        self._stream = stream
        self._place = self._doing = ""
        self._line = ""
        self._share = 0.0
        self._before_s = 0.0
        self._started = time.monotonic()
        self._live = _live(stream, self._draw)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def start(self, model: str, seed: int, number: int, spent_s: float) -> None:
        """A training begins, or continues after `spent_s` seconds."""
        self._place = f"[{number}/{self._total}] {model}, seed {seed}"
        self._line, self._share = "", 0.0
        self._before_s, self._started = spent_s, time.monotonic()
        verb = f"continues after {duration(spent_s)}" if spent_s >= 1 else "begins"
        left = self._left()
        self._say(f"{self._place}: {verb}" + (f"; {left}" if left else ""))

    def look(self, run: Path) -> None:
        """See how far the training that is on has come."""
        self._line = last_epoch_line(run / "log.txt") or self._line
        self._share = share_done(self._line)
        if self._live:
            self._live.refresh()

    def done(self, result: str, took_s: float) -> None:
        """The training that was on is done."""
        self._forecast.done(took_s)
        self._share = 0.0
        self._say(f"{self._place}: done in {duration(took_s)}: {result}")

    def failed(self, reason: str) -> None:
        """The training that was on has failed."""
        self._forecast.failed()
        self._share = 0.0
        self._say(f"{self._place}: FAILED: {reason}")

    def stopping(self) -> None:
        """The training that is on was asked to stop."""
        self._say(f"{self._place}: asked to stop; it saves itself (once more ends it at once)")

    def _say(self, line: str) -> None:
        if self._live:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
            self._live.refresh()
        else:
            print(line, file=self._stream, flush=True)

    def _left(self) -> str:
        elapsed = self._before_s + time.monotonic() - self._started
        left = self._forecast.left_s(elapsed, self._share)
        if left is None:
            return ""
        end = datetime.now() + timedelta(seconds=left)
        clock = f"{end:%H:%M}" if end.date() == datetime.now().date() else f"{end:%a %H:%M}"
        return f"all end about {clock}" + (f", in {duration(left)}" if left >= 1 else "")

    def _draw(self) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        bars = Table.grid(padding=(0, 1), expand=True)
        bars.add_column(no_wrap=True, style="bold")
        bars.add_column(ratio=1)
        bars.add_column(no_wrap=True, style="cyan", justify="right")
        done = self._forecast.settled + self._share
        bars.add_row(self._place, ProgressBar(total=self._total, completed=done), self._left())
        return Group(bars, Text(self._line, no_wrap=True, overflow="ellipsis", style="dim"))


def share_done(line: str) -> float:
    """How much of a training its latest line says is done, in [0, 1]; 0 where it does not say."""
    match = _EPOCH.fullmatch(line)
    if not match:
        return 0.0
    epoch, epochs, batch, batches = match.groups()
    done = int(epoch) - 1 + ((int(batch) + 1) / int(batches) if batch else 1)
    return min(1.0, done / int(epochs))


def last_epoch_line(log: Path) -> str:
    """The last line of a run's log that tells of an epoch; empty where there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            tail = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for line in tail.splitlines() if _EPOCH.fullmatch(line)]
    return lines[-1] if lines else ""


def _live(stream: TextIO, draw: Callable[[], Group]) -> Live | None:
    """A display at the foot of a terminal; None where the stream is none."""
    if not stream.isatty():
        return None
    from rich.console import Console
    from rich.live import Live

    terminal = Console(file=stream)
    if terminal.is_dumb_terminal:
        return None
    # no drawing thread: signals are handled between two drawings, not within one
    return Live(console=terminal, get_renderable=draw, auto_refresh=False, transient=True)
