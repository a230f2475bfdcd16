"""Memory of freed arrays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from diapir.memory import LARGE

_HELD = """
import numpy as np
import diapir.memory

def pages():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096

if {fixed}:
    diapir.memory.free_at_once()
first = np.ones(2**24, np.uint8)
del first
arrays = [np.ones({size}, np.uint8) for _ in range(8)]
before = pages()
del arrays[:7]  # what lies above keeps a heap from shrinking
print(before - pages())
"""


_TRIMMED = """
import diapir.memory

def pages():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * 4096

small = [bytearray(2000) for _ in range(20_000)]
above = bytearray(2000)
before = pages()
del small
diapir.memory.return_freed()
print(before - pages())
"""


def _given_back(*, fixed: bool) -> int:
    code = _HELD.format(fixed=fixed, size=2 * LARGE)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other allocators")
def test_memory_of_large_arrays_is_given_back_at_once() -> None:
    assert _given_back(fixed=True) > 6 * 2 * LARGE > _given_back(fixed=False)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other allocators")
def test_memory_of_small_pieces_is_returned() -> None:
    kept = _TRIMMED.replace("diapir.memory.return_freed()", "pass")
    left, returned = (
        int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
        for code in (kept, _TRIMMED)
    )
    assert returned > 2**25 > left
