"""A cache that is bounded in bytes: what was used longest ago leaves first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class ByteCache:
    """Arrays by key, for any number of threads.

    Args:
        most: bytes of all arrays together; a larger array is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, Array] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    @property
    def bytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def get(self, key: Hashable) -> Array | None:
        """The array, which must not be changed; None if it is not there."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, value: Array) -> Array:
        """Keep an array; returns it."""
        value = np.ascontiguousarray(value)
        value.flags.writeable = False
        with self._lock:
            self._drop(key)
            if value.nbytes <= self._most:
                self._held[key] = value
                self._bytes += value.nbytes
            while self._bytes > self._most:
                self._drop(next(iter(self._held)))
        return value

    def of(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """The array, made where it is not there."""
        found = self.get(key)
        return self.put(key, make()) if found is None else found

    def drop(self, start: Hashable) -> None:
        """Drop every array whose key is a tuple that starts with `start`."""
        with self._lock:
            for key in [key for key in self._held if isinstance(key, tuple) and key[0] == start]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        old = self._held.pop(key, None)
        if old is not None:
            self._bytes -= old.nbytes
