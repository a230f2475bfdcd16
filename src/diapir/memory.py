"""Give the memory of large arrays back to the system as soon as they are freed."""

from __future__ import annotations

import ctypes
import sys

_MMAP_THRESHOLD = -3
"""`M_MMAP_THRESHOLD` of glibc's `mallopt`."""
LARGE = 2**20
"""Bytes from which an array gets pages of its own."""


def free_at_once() -> None:
    """Let arrays from `LARGE` bytes be mapped on their own, where the C library is glibc.

    It does so from 128 KB at first, but raises that to the size of each array that is freed, up to
    32 MB. Later arrays then share a heap that does not shrink while anything lies above them, so
    that the memory of a survey's blocks is held several times over. A fixed value stays.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
            library.mallopt(_MMAP_THRESHOLD, LARGE)
            library.malloc_trim(0)  # what earlier arrays have left
