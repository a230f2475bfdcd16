"""Stopping a run before its last epoch: by a signal or a time budget."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from types import FrameType, TracebackType

from diapir.stop_signals import stop_signals


class Stopping:
    """Catches signals, and watches the time budget.

    Use it as a context manager. The first SIGINT, SIGTERM or SIGHUP sets `signum`; the second ends
    the process at once.

    Args:
        budget_s: time budget in seconds from now; None for none.
    """

    def __init__(self, budget_s: float | None) -> None:
        self.signum = 0
        self._deadline = None if budget_s is None else time.monotonic() + budget_s
        self._handlers: dict[int, signal.Handlers | object] = {}

    def over_budget(self, reserve_s: float) -> bool:
        """Whether less than `reserve_s` seconds of the budget are left."""
        return self._deadline is not None and time.monotonic() + reserve_s >= self._deadline

    @property
    def left_s(self) -> float | None:
        """Seconds of the budget that are left, at least 0; None without a budget."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def budget_words(self) -> list[str]:
        """The option that gives a resumed run the rest of the budget; none without a budget."""
        if self._deadline is None:
            return []
        left = max(math.ceil(self._deadline - time.monotonic()), 1)
        return ["--budget", f"{left}s"]

    def __enter__(self) -> Stopping:
        # only the main thread may set handlers; in another, the caller's handlers stay
        if threading.current_thread() is threading.main_thread():
            self._handlers = {
                number: signal.signal(number, self._note) for number in stop_signals()
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.signum:
            os._exit(128 + signum)
        self.signum = signum
