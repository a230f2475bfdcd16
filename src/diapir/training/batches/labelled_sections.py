"""Sections that are labelled in part or everywhere, and windows cut from them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diapir.config import IGNORE
from diapir.text import plural

_TRIES = 12
"""Most positions that are drawn to find a window with enough labels; the best is taken."""

Matrix = NDArray[np.float64]
Cells = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelledSection:
    """A section that is labelled in part or everywhere.

    Attributes:
        image: `uint8 (samples, traces)`, grey.
        mask: `uint8 (samples, traces)` of {0, 1, 255}.
        cells: `(n, 4)`: top, left, bottom and right of the labelled rectangles, in pixels; they
            do not overlap.
        pseudo: `(m, 4)`: the rectangles with pseudo-labels; they overlap neither each other nor
            `cells`.
        seams: number of seams beside which contradictory labels are ignored.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    cells: Cells
    pseudo: Cells = field(default_factory=lambda: np.empty((0, 4), np.int64))
    seams: int = 0

    @cached_property
    def _all_cells(self) -> Cells:
        return np.concatenate([self.cells, self.pseudo])

    def labelled(self, box: NDArray[np.float64]) -> float:
        """Share of a box (top, left, bottom, right in pixels) that is labelled, in [0, 1]."""
        cells = self._all_cells
        ends = np.minimum(cells[:, 2:], box[2:])
        sides = (ends - np.maximum(cells[:, :2], box[:2])).clip(min=0)
        area = float(np.prod(box[2:] - box[:2]))
        return float(sides.prod(axis=1).sum()) / max(area, 1e-9)


@dataclass(frozen=True, eq=False)
class SectionSet:
    """Sections that windows are cut from.

    Attributes:
        name: the name of the folder, for messages.
        sections: those with at least one labelled rectangle.
    """

    name: str
    sections: tuple[LabelledSection, ...]

    @cached_property
    def _anchors(self) -> list[list[tuple[LabelledSection, NDArray[np.int64]]]]:
        """Labelled rectangles with their sections, and those with pseudo-labels apart, if any."""
        labelled = [(section, cell) for section in self.sections for cell in section.cells]
        pseudo = [(section, cell) for section in self.sections for cell in section.pseudo]
        return [each for each in (labelled, pseudo) if each]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over images and masks."""
        digest = hashlib.sha256()
        for section in self.sections:
            digest.update(repr(section.image.shape).encode())
            digest.update(section.image.tobytes() + section.mask.tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        """Number and origin of the sections."""
        words = f"{plural(len(self.sections), 'section')} of {self.name}"
        more = []
        if pseudo := sum(len(section.pseudo) for section in self.sections):
            more.append(f"pseudo-labels of {plural(pseudo, 'tile')}")
        if seams := sum(section.seams for section in self.sections):
            more.append(f"background beside {plural(seams, 'contradictory seam')} ignored")
        return f"{words} ({', '.join(more)})" if more else words

    def window(
        self, size: int, matrix: Matrix, labelled: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Cut a window.

        Args:
            size: height and width of the window in pixels.
            matrix: `(2, 2)`: maps a pixel's (x, y) from the centre to where it is sampled, as
                `Augmentation.matrix`.
            labelled: share of the window that should be labelled, in [0, 1].
            rng: draws the position.

        Returns:
            Image and mask, `uint8 (size, size)`. Where a window reaches beyond its section, the
            image is reflected and the mask is 255.
        """
        # windows around labels are as frequent as those around pseudo-labels, which are many more
        anchors = self._anchors[int(rng.integers(len(self._anchors)))]
        section, cell = anchors[int(rng.integers(len(anchors)))]
        # half of the window's height and width in the section
        reach = (np.abs(matrix) @ np.full(2, size / 2))[::-1]
        best, share = np.zeros(2), -1.0
        for _ in range(_TRIES):
            centre = _position(section, cell, reach, size, rng)
            found = section.labelled(np.concatenate([centre - reach, centre + reach]))
            if found > share:
                best, share = centre, found
            if share >= labelled:
                break
        return cut_window(section, best, matrix, size)


def _position(
    section: LabelledSection,
    cell: NDArray[np.int64],
    reach: NDArray[np.float64],
    size: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Centre (row, column) of a window that overlaps a cell and, if it fits, lies in the section.

    Windows start at whole pixels, so that those that are not scaled are not blurred.
    """
    sides = np.array(section.image.shape, np.float64)
    drawn = rng.uniform(cell[:2] - reach, cell[2:] + reach)
    # a window larger than its section holds all of it
    least, most = np.minimum(reach, sides - reach), np.maximum(reach, sides - reach)
    centre = drawn.clip(least, most)
    half = size / 2
    placed: NDArray[np.float64] = np.rint(centre - half) + half
    return placed


def cut_window(
    section: LabelledSection, centre: NDArray[np.float64], matrix: Matrix, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The window (image, mask) around a centre (row, column); arguments as `SectionSet.window`."""
    start = np.rint(centre - size / 2).astype(int)
    end = start + size
    inside = (start >= 0).all() and (end <= section.image.shape).all()
    if inside and np.array_equal(matrix, np.eye(2)):
        place = slice(start[0], end[0]), slice(start[1], end[1])
        return section.image[place], section.mask[place]
    # columns and rows of the section where the window's pixels are sampled
    line = np.arange(size) - (size - 1) / 2
    x, y = (
        by_x * line + (by_y * line[:, None] + middle)
        for (by_x, by_y), middle in zip(matrix, centre[::-1] - 0.5, strict=True)
    )
    bottom, right = section.image.shape
    across, down = _span(x, right), _span(y, bottom)
    image = torch.from_numpy(section.image[down, across].astype(np.float32))[None, None]
    grid = np.empty((1, size, size, 2), np.float32)
    for axis, (places, span) in enumerate([(x, across), (y, down)]):
        grid[0, :, :, axis] = (places - span.start) / (max(span.stop - span.start - 1, 1) / 2) - 1
    seen = functional.grid_sample(
        unaliased(image, matrix),
        torch.from_numpy(grid),
        padding_mode="reflection",
        align_corners=True,
    )[0, 0]
    column, row = (np.rint(places).astype(np.int32) for places in (x, y))
    outside = (column < 0) | (column >= right) | (row < 0) | (row >= bottom)
    kept = section.mask[row.clip(0, bottom - 1), column.clip(0, right - 1)]
    kept[outside] = IGNORE
    return seen.round_().clamp_(0, 255).byte().numpy(), kept


def _span(places: NDArray[np.float64], end: int) -> slice:
    """The part of an axis of `end` pixels that an affine window is sampled from."""
    corners = places[[0, 0, -1, -1], [0, -1, 0, -1]]  # an affine map is extreme there
    low, high = math.floor(corners.min()) - 1, math.ceil(corners.max()) + 2
    return slice(max(low, 0), min(high, end))


def unaliased(image: Tensor, matrix: Matrix) -> Tensor:
    """Average images `(N, 1, H, W)` over the pixels of one sampling step, against aliasing."""
    across, down = np.maximum(np.rint(np.hypot(*matrix.T)), 1).astype(int).tolist()
    height, width = image.shape[2:]
    down, across = min(down, height), min(across, width)
    if down == across == 1:
        return image
    before, behind = ((down - 1) // 2, (across - 1) // 2), (down // 2, across // 2)
    padded = functional.pad(image, (before[1], behind[1], before[0], behind[0]), mode="replicate")
    return functional.avg_pool2d(padded, (down, across), stride=1)
