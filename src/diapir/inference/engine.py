"""How many CPU threads an engine takes where nobody says."""

from __future__ import annotations

import os


def default_threads() -> int:
    """`OMP_NUM_THREADS` where it is set, as for PyTorch; else the cores this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
