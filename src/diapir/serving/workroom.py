"""Work in threads: few at a time for each purpose, and a bounded number that waits."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from diapir.serving.request_errors import busy

Result = TypeVar("Result")
_MOST_LANES = 64


class Lanes:
    """Reading: one thread for each file, so that a slow file stops no other."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[Hashable, anyio.CapacityLimiter] = OrderedDict()

    async def run(self, lane: Hashable, work: Callable[[], Result]) -> Result:
        """Run work in a thread, after what was asked of the same file before."""
        limiter = self._lanes.setdefault(lane, anyio.CapacityLimiter(1))
        self._lanes.move_to_end(lane)
        for other in list(self._lanes)[:-_MOST_LANES]:
            found = self._lanes[other].statistics()
            if not (found.tasks_waiting or found.borrowed_tokens):
                del self._lanes[other]
        return await anyio.to_thread.run_sync(work, limiter=limiter)


class Desk:
    """Predicting: one at a time, as a network uses all cores; a bounded number waits.

    Args:
        most: how many may wait.
        what: what the queue is of, for messages.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._limiter = anyio.CapacityLimiter(1)
        self._seconds = 1.0
        self._running: dict[Hashable, asyncio.Future[Any]] = {}
        self.waiting = 0

    async def run(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """Run work in a thread, or wait for the same work that is under way.

        Args:
            key: equal for equal work; None for work that is never shared.
            work: what to do.

        Raises:
            RequestError: too many wait already (503).
        """
        if key is not None and key in self._running:
            shared: asyncio.Future[Result] = self._running[key]  # equal keys are of equal work
            return await asyncio.shield(shared)
        if self.waiting > self._most:
            raise busy(f"the queue of {self._what}", max(1, round(self._seconds * self.waiting)))
        task = asyncio.ensure_future(self._work(work))
        if key is not None:
            self._running[key] = task
            task.add_done_callback(lambda done: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def _work(self, work: Callable[[], Result]) -> Result:
        self.waiting += 1
        try:
            async with self._limiter:
                started = time.perf_counter()
                found = await anyio.to_thread.run_sync(work)
                self._seconds += 0.3 * (time.perf_counter() - started - self._seconds)
                return found
        finally:
            self.waiting -= 1
