"""Windows of labelled sections, drawn so that salt and background are equally frequent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE
from diapir.training.batches.labelled_sections import LabelledSection, Matrix, cut_window

SALT_SHARE = 0.5
"""Share of windows that are drawn around a pixel of salt; the others around any label."""
_REACH = 0.8
"""Farthest distance of that pixel from the window's centre, in half windows."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Crops:
    """Sections as the network is shown them, to cut windows from.

    Attributes:
        images: `uint8 (samples, traces)`.
        masks: `uint8` of {0, 1, 255}, the same shapes.
    """

    images: Sequence[Bytes]
    masks: Sequence[Bytes]

    @cached_property
    def _sections(self) -> list[LabelledSection]:
        return [
            LabelledSection(image, mask, np.empty((0, 4), np.int64))
            for image, mask in zip(self.images, self.masks, strict=True)
        ]

    @cached_property
    def _salt(self) -> list[tuple[int, NDArray[np.int32]]]:
        """Number of each section with salt, and its pixels of salt."""
        return self._pixels(lambda mask: mask == 1)

    @cached_property
    def _labelled(self) -> list[tuple[int, NDArray[np.int32]]]:
        return self._pixels(lambda mask: mask != IGNORE)

    def _pixels(
        self, wanted: Callable[[Bytes], NDArray[np.bool_]]
    ) -> list[tuple[int, NDArray[np.int32]]]:
        found = [
            (number, np.flatnonzero(wanted(mask)).astype(np.int32))
            for number, mask in enumerate(self.masks)
        ]
        return [(number, pixels) for number, pixels in found if len(pixels)]

    def cut(self, size: int, matrices: Matrix, seed: Sequence[int]) -> tuple[Bytes, Bytes]:
        """Cut windows.

        Args:
            size: height and width in pixels.
            matrices: `(n, 2, 2)`: scale and rotation of each window, as `Augmentation.matrix`.
            seed: the numbers that the positions depend on.

        Returns:
            Images and masks, `uint8 (n, size, size)`.
        """
        images = np.empty((len(matrices), size, size), np.uint8)
        masks = np.empty_like(images)
        rng = np.random.default_rng([*seed, 5])
        for row, matrix in enumerate(matrices):
            number, centre = self._centre(size, matrix, rng)
            images[row], masks[row] = cut_window(self._sections[number], centre, matrix, size)
        return images, masks

    def _centre(
        self, size: int, matrix: Matrix, rng: np.random.Generator
    ) -> tuple[int, NDArray[np.float64]]:
        """A section, and the centre (row, column) of a window in it."""
        around_salt = rng.uniform() < SALT_SHARE and bool(self._salt)
        places = self._salt if around_salt else self._labelled
        number, pixels = places[int(rng.integers(len(places)))]
        sides = np.array(self.images[number].shape, np.float64)
        pixel = int(pixels[int(rng.integers(len(pixels)))])
        reach = (np.abs(matrix) @ np.full(2, size / 2))[::-1]
        centre = np.array(divmod(pixel, int(sides[1])), np.float64)
        centre += rng.uniform(-_REACH, _REACH, 2) * reach
        # a window larger than its section holds all of it
        least, most = np.minimum(reach, sides - reach), np.maximum(reach, sides - reach)
        placed: NDArray[np.float64] = np.rint(centre.clip(least, most) - size / 2) + size / 2
        return number, placed


def resample_mask(mask: Bytes, shape: tuple[int, ...]) -> Bytes:
    """A mask at another size: each pixel as the one it lies in."""
    if mask.shape == shape:
        return mask
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for new, old in zip(shape, mask.shape, strict=True)
    )
    resampled: Bytes = mask[rows[:, None], columns]
    return resampled


def resampled_crops(images: Sequence[Bytes], masks: Sequence[Bytes]) -> Crops:
    """Windows of sections at another size than their masks."""
    fitted = [resample_mask(mask, image.shape) for mask, image in zip(masks, images, strict=True)]
    return Crops(images, fitted)
