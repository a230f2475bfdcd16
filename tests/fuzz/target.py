"""What a target is, and the random numbers of an input."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

Rng = np.random.Generator

NAMES = (
    "segy",
    "images",
    "zips",
    "recipes",
    "bundles",
    "weights",
    "onnx",
    "states",
    "arrays",
    "stores",
    "tables",
    "labels",
)
"""Every target: a module of `tests.fuzz.targets`."""


class Target(Protocol):
    """Makes inputs and has them read; built once per process."""

    def __init__(self, home: Path) -> None:
        """Prepare what inputs are made of, in a folder that lasts as long as the process."""

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        """Write an input into an empty folder.

        Args:
            rng: the only source of chance.
            folder: for the input, and for what diapir writes.

        Returns:
            Has diapir read it; may raise anything.
        """
        ...


def build(name: str, home: Path) -> Target:
    """A target by its name."""
    target: Target = importlib.import_module(f"tests.fuzz.targets.{name}").Inputs(home)
    return target


def later(rng: Rng, share: float) -> Rng | None:
    """Chance for kinds of input that were added later; None for the others, which stay the same.

    Args:
        rng: of the input; nothing is drawn from it.
        share: of the inputs that are of these kinds.
    """
    (own,) = rng.spawn(1)
    return own if own.random() < share else None


def chance(name: str, seed: int, number: int) -> Rng:
    """The random numbers of an input."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])
