"""Signals during a comparison."""

from __future__ import annotations

import os
import signal
import threading

from diapir.comparison.signals import handled
from diapir.stop_signals import stop_signals

SIGNALS = stop_signals()


def test_signals_reach_the_handler_and_the_earlier_ones_return() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    seen: list[int] = []
    with handled(seen.append):
        for number in SIGNALS:
            os.kill(os.getpid(), number)
    assert seen == list(SIGNALS)
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_another_thread_leaves_the_handlers_alone() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    during: list[object] = []

    def work() -> None:
        with handled(lambda signum: None):
            during.extend(signal.getsignal(number) for number in SIGNALS)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert during == before
