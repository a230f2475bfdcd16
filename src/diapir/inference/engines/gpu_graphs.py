"""Functions of tensors on a CUDA GPU, recorded once for each shape and then replayed.

A GPU computes a network in less time than Python takes to launch its some 200 kernels one by one. A
CUDA graph launches all of them at once; it holds for one shape, and has its memory to itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

KEPT = 4
"""Shapes whose graphs are kept: the last that were used."""
_WARM_UP = 2
"""Passes before a recording, in which libraries choose their kernels and take their memory."""

_Shape = tuple[int, ...]


class _Recorded(NamedTuple):
    """A graph with the tensors that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    given: Tensor
    found: Tensor


class GpuGraphs:
    """A function of tensors on a CUDA GPU, for several callers at a time.

    A shape is recorded when it comes for the second time, as one that comes once would take longer.
    Where the function or the GPU does not allow it, kernels are launched one by one.

    Args:
        function: bytes `(N, H, W)` on the GPU → `float32 (N, H, W)`.
        device: the GPU.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], device: torch.device) -> None:
        self._function = function
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # weights were written on another stream
        self._stream.wait_stream(torch.cuda.current_stream(device))
        self._pool = torch.cuda.graph_pool_handle()  # one for all, as only one runs at a time
        self._lock = threading.Lock()
        self._recorded: dict[_Shape, _Recorded] = {}
        self._seen: set[_Shape] = set()
        self._able = True

    @torch.inference_mode()
    def run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What the function makes of a batch, `uint8 (N, H, W)` → `float32 (N, H, W)`."""
        # from pinned memory the GPU copies while it computes
        given = torch.from_numpy(np.ascontiguousarray(batch)).pin_memory()
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        with self._lock, torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            recorded = self._recording(given.shape)
            if recorded is None:
                found = self._function(given.to(self._device, non_blocking=True))
            else:
                recorded.given.copy_(given, non_blocking=True)
                recorded.graph.replay()
                found = recorded.found
            brought = torch.empty(found.shape, pin_memory=True)
            brought.copy_(found, non_blocking=True)
            done.record(self._stream)
        done.synchronize()
        result: NDArray[np.float32] = brought.numpy()
        return result

    def _recording(self, shape: _Shape) -> _Recorded | None:
        """The graph for a shape; None where there is none yet."""
        recorded = self._recorded.pop(shape, None)
        if recorded is None and self._able and shape in self._seen:
            try:
                recorded = self._record(shape)
            except RuntimeError:  # an operation that waits for the GPU, or too little memory
                self._able = False
        self._seen.add(shape)
        if recorded is not None:
            self._recorded[shape] = recorded
        while len(self._recorded) > KEPT:
            del self._recorded[next(iter(self._recorded))]
        return recorded

    def _record(self, shape: _Shape) -> _Recorded:
        given = torch.zeros(shape, dtype=torch.uint8, device=self._device)
        for _ in range(_WARM_UP):
            self._function(given)
        graph = torch.cuda.CUDAGraph()
        # other callers may take memory in the meantime
        with torch.cuda.graph(graph, self._pool, self._stream, "thread_local"):
            found = self._function(given)
        return _Recorded(graph, given, found)
