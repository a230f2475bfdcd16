"""Scratch of `diapir.files`, as another process leaves it behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import mock

from diapir.scratch import scratch_name


def abandoned(path: Path) -> Path:
    """A scratch name of `path` in a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return scratch_of(path, ended.pid)


def scratch_of(path: Path, process: int) -> Path:
    """A scratch name of `path` in this process."""
    with mock.patch("os.getpid", return_value=process):
        return scratch_name(path)
