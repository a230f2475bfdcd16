"""Signals are noted, not died of; the budget counts from the start."""

import os
import signal
import subprocess
import sys
import time

import pytest

from diapir.stop_signals import stop_signals
from diapir.training.stopping import Stopping


@pytest.mark.parametrize("signum", stop_signals())
def test_a_signal_is_noted_and_the_old_handler_comes_back(signum: signal.Signals) -> None:
    before = signal.getsignal(signum)
    with Stopping(None) as stopping:
        assert stopping.signum == 0
        os.kill(os.getpid(), signum)
        assert stopping.signum == signum
    assert signal.getsignal(signum) is before


def test_the_second_signal_ends_the_process_at_once() -> None:
    code = (
        "import os, signal\n"
        "from diapir.training.stopping import Stopping\n"
        "with Stopping(None):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('still here')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 143
    assert "still here" not in done.stdout


def test_a_budget_is_over_when_less_than_the_reserve_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stopping = Stopping(60)
    assert not stopping.over_budget(59)
    assert stopping.over_budget(60)
    now = 155.0
    assert stopping.over_budget(5)
    assert not stopping.over_budget(4)
    assert not Stopping(None).over_budget(1e9)
