"""How the C library treats freed memory, where it is glibc; elsewhere nothing is done."""

from __future__ import annotations

import ctypes
import sys

# parameters of glibc's `mallopt`
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
LARGE = 2**20
"""Bytes from which an array gets pages of its own."""


def free_at_once() -> None:
    """Give the memory of arrays from `LARGE` bytes back to the system as soon as they are freed.

    glibc maps arrays from 128 KB on their own at first, but raises that to the size of each array
    that is freed, up to 32 MB. Later arrays then share a heap that does not shrink while anything
    lies above them, so that the memory of a survey's blocks is held several times over. A fixed
    value stays.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_MMAP_THRESHOLD, LARGE)
        libc.malloc_trim(0)  # what earlier arrays have left


def return_freed() -> None:
    """Return the memory of what has been freed to the system."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def keep_freed(keep: bool) -> None:
    """Keep the memory of freed tensors for the next step of a training, or return it to the system.

    By default glibc returns large blocks at once, and the system clears every page again when the
    next step needs it, which takes a tenth of a step.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_MMAP_MAX, 0 if keep else 65536)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1 if keep else 64 << 20)
        if not keep:
            libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
