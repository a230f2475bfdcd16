"""A closed terminal stops a command, unless it was told to outlive the terminal."""

from __future__ import annotations

import signal

import pytest

from diapir.stop_signals import stop_signals
from diapir.training.stopping import Stopping


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no SIGHUP")
@pytest.mark.usefixtures("with_terminal")
def test_a_hang_up_is_ignored_only_under_nohup() -> None:
    assert stop_signals() == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert stop_signals() == [signal.SIGINT, signal.SIGTERM]
        with Stopping(None) as stopping:
            signal.raise_signal(signal.SIGHUP)
            assert stopping.signum == 0
    finally:
        signal.signal(signal.SIGHUP, before)
