"""Engines: what every library that runs a network provides, and what engines share.

A new engine is a class that implements `Engine` in a file of its own (the only door to its
library), a case in `open_engine`, and a subclass of the tests' `EngineContract`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from diapir.errors import BundleError


class Engine(Protocol):
    """A loaded network.

    Attributes:
        name: library and device, as shown to people: `torch on cpu`.
        threads: CPU threads of one call.
    """

    name: str
    threads: int

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network.

        Args:
            batch: `float32 (N, 3, H, W)` as `preprocess.to_input` makes it, N ≥ 1, H and W the
                bundle's `preprocess.size`. It is not modified.

        Returns:
            Logits of background and salt, `float32 (N, 2, H, W)`. A tile's logits do not depend on
            the other tiles of its batch, beyond rounding.
        """
        ...


BATCH = 16
"""Images in one forward pass on a CPU, where larger batches are no faster."""
MOST_LANES = 8
"""Batches that run at a time on a CPU at most; with more cores, each takes several of them."""


@runtime_checkable
class Shared(Engine, Protocol):
    """An engine that is faster with several batches at a time, in threads of their own.

    Attributes:
        batch: images of all its lanes together that it is fastest with.
        even: whether it prepares for every number of images anew, so that batches are filled up to
            the same number.
    """

    batch: int
    even: bool

    @property
    def lanes(self) -> int:
        """Batches at a time that it is fastest with."""
        ...

    def lane(self, threads: int) -> Shared:
        """The same network on `threads` threads a call, which may be called at the same time.

        It is kept for the next call. Its logits are those of this engine.
        """
        ...


class OnCpu:
    """What engines on the CPU that are `Shared` have in common."""

    threads: int
    batch = BATCH
    even = False

    @property
    def lanes(self) -> int:
        """Batches at a time that they are fastest with."""
        return min(self.threads, MOST_LANES)


@runtime_checkable
class FromGrey(Engine, Protocol):
    """An engine on a GPU, which normalises images there: bytes are brought there much faster."""

    def probabilities(self, grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Grey images of the input's size `uint8 (N, H, W)` → probability of salt `(N, H, W)`."""
        ...


def salt_probability(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over background and salt: logits `(2, …)` → probability of salt `(…)`."""
    background, salt = logits
    # exp overflows where the probability rounds to 0; infinite logits give NaN, which is refused
    with np.errstate(over="ignore", invalid="ignore"):
        odds_against: NDArray[np.float32] = np.exp(background - salt)
    odds_against += 1
    return np.reciprocal(odds_against, out=odds_against)


def lanes_of(engine: Engine) -> int:
    """Batches that an engine runs at a time: 1 unless it can be shared between threads."""
    return engine.lanes if isinstance(engine, Shared) else 1


def batch_of(engine: Engine) -> int:
    """Images that an engine is fastest with at a time, in all its lanes together."""
    return engine.batch if isinstance(engine, Shared) else BATCH


def default_threads() -> int:
    """CPU threads when none are set: `OMP_NUM_THREADS`, else the cores this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def unusable(network: Path, form: str, reason: str) -> BundleError:
    """The error for an exported network that cannot be used.

    Args:
        network: its file.
        form: its format, `onnx` or `openvino`.
        reason: what is wrong with it.
    """
    return BundleError(
        f"{network} cannot be used: {reason}",
        expected="one float input (N, 3, H, W) and one float output (N, 2, H, W)",
        fix=f"export the model again: diapir export MODEL --to {form} --out DIR",
    )
