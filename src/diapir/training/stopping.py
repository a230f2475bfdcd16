"""When a run must stop before its last epoch: a signal or a budget of time."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Notes signals instead of dying of them, and watches the clock.

    Used as a context manager. The first SIGINT or SIGTERM sets `signum`; the second ends the
    process at once.

    Args:
        budget_s: seconds from now after which the run should have ended; None never.
    """

    def __init__(self, budget_s: float | None) -> None:
        self.signum = 0
        self._deadline = None if budget_s is None else time.monotonic() + budget_s
        self._handlers: dict[int, signal.Handlers | object] = {}

    def over_budget(self, reserve_s: float) -> bool:
        """Whether less than `reserve_s` seconds of the budget are left."""
        return self._deadline is not None and time.monotonic() + reserve_s >= self._deadline

    def __enter__(self) -> Stopping:
        # only the main thread may set handlers; elsewhere the caller's own stay in force
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
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
