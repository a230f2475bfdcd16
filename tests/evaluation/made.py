"""Tiles made of masks, as far as an evaluation looks at a tile set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Probability = NDArray[np.float32]


@dataclass
class Tiles:
    masks: Sequence[Mask]
    ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    labelled: bool = True
    name: str = "made"
    hash: str = "0" * 64

    def __post_init__(self) -> None:
        self.ids = self.ids or tuple(f"{index:05d}" for index in range(len(self.masks)))
        self.groups = self.groups or self.ids

    def __len__(self) -> int:
        return len(self.masks)

    def mask(self, index: int) -> Mask:
        return self.masks[index]

    def image(self, index: int) -> Mask:
        return np.full_like(self.masks[index], index)


def row(*values: int) -> Mask:
    """A mask of one row."""
    return np.array([values], dtype=np.uint8)


def sure(masks: Iterable[Mask]) -> list[Probability]:
    """The perfect prediction: probability 1 on salt, 0 elsewhere."""
    return [(mask == 1).astype(np.float32) for mask in masks]


def random_tiles(
    number: int, *, seed: int, ignored: float = 0.0, groups: int = 0
) -> tuple[Tiles, list[Probability]]:
    """Tiles of several sizes, of any coverage, some empty, and probabilities that lean to them."""
    generator = np.random.default_rng(seed)
    masks, probabilities = [], []
    for index in range(number):
        shape = generator.integers(3, 12, size=2)
        coverage = 0.0 if index % 3 == 0 else generator.random()
        mask = (generator.random(shape) < coverage).astype(np.uint8)
        noise = generator.random(shape)
        probability = (0.4 * mask + 0.6 * noise).astype(np.float32)
        mask[generator.random(shape) < ignored] = 255
        masks.append(mask)
        probabilities.append(probability)
    sections = tuple(f"s{index * groups // number}" for index in range(number)) if groups else ()
    return Tiles(masks, groups=sections), probabilities
