"""Images and masks of many tiles in two flat arrays, without an object for each tile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.text import listing


@dataclass(frozen=True, eq=False)
class Pixels:
    """Flat pixels of tiles whose sizes may differ; a selection shares the arrays."""

    images: NDArray[np.uint8]
    """`uint8 (P,)`: every tile's grey pixels, row by row, tile after tile; read-only."""
    masks: NDArray[np.uint8]
    """`uint8 (P,)`: classes {0, 1, 255} in the same order; `(0,)` if unlabelled; read-only."""
    shapes: NDArray[np.int32]
    """`int32 (N, 2)`: height and width of each tile."""
    starts: NDArray[np.int64]
    """`int64 (N,)`: position of each tile's first pixel."""

    @classmethod
    def of(
        cls, images: NDArray[np.uint8], masks: NDArray[np.uint8], shapes: NDArray[np.int32]
    ) -> Pixels:
        """Pixels of all tiles in order, without gaps."""
        images.flags.writeable = False
        masks.flags.writeable = False
        sizes = shapes.astype(np.int64).prod(axis=1)
        return cls(images, masks, shapes, np.cumsum(sizes) - sizes)

    @property
    def labelled(self) -> bool:
        """Whether there are masks."""
        return self.masks.size > 0

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image `uint8 (H, W)`, a view."""
        return self._view(self.images, index)

    def mask(self, index: int) -> NDArray[np.uint8]:
        """Mask `uint8 (H, W)`, a view."""
        return self._view(self.masks, index)

    def content_hashes(self) -> tuple[str, ...]:
        """SHA-256 of each tile's shape, image and mask."""
        hashes = []
        for index, (height, width) in enumerate(self.shapes.tolist()):
            digest = hashlib.sha256(f"{height} {width}\n".encode())
            digest.update(self.image(index).data)
            if self.labelled:
                digest.update(self.mask(index).data)
            hashes.append(digest.hexdigest())
        return tuple(hashes)

    def image_hash(self, index: int) -> str:
        """SHA-256 of the shape and pixels of one tile's image, its mask left out."""
        image = self.image(index)
        digest = hashlib.sha256(repr(image.shape).encode())
        digest.update(image.data)
        return digest.hexdigest()

    def select(self, rows: Sequence[int]) -> Pixels:
        """The tiles at `rows`, in that order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return Pixels(self.images, self.masks, self.shapes[chosen], self.starts[chosen])

    def join(self, other: Pixels) -> Pixels:
        """The tiles of both, those of `other` last; the arrays are copied."""
        images = np.concatenate([self.images, other.images])
        masks = np.concatenate([self.masks, other.masks])
        images.flags.writeable = masks.flags.writeable = False
        return Pixels(
            images=images,
            masks=masks,
            shapes=np.concatenate([self.shapes, other.shapes]),
            starts=np.concatenate([self.starts, other.starts + self.images.size]),
        )

    def stack(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Images and masks `uint8 (n, H, W)` of tiles of one size, copied."""
        shapes = self.shapes[indices]
        if len(shapes) and (shapes != shapes[0]).any():
            sizes = sorted({f"{height} × {width}" for height, width in shapes.tolist()})
            raise DataError(
                "tiles of different sizes cannot be stacked: " + listing(sizes, 4),
                expected="tiles of one size",
                fix="cut or resize the tiles to one size, or train with --set train.batch=1",
            )
        height, width = (int(side) for side in shapes[0]) if len(shapes) else (0, 0)
        if len(indices) and self._uniform:  # one look-up over all tiles instead of a copy of each
            rows = self.starts[indices] // max(height * width, 1)
            block = (-1, height, width)
            return self.images.reshape(block)[rows], self.masks.reshape(block)[rows]
        images = np.empty((len(indices), height, width), np.uint8)
        masks = np.empty_like(images)
        for row, index in enumerate(indices.tolist()):
            images[row], masks[row] = self.image(index), self.mask(index)
        return images, masks

    @cached_property
    def _uniform(self) -> bool:
        """Whether all tiles of the flat arrays have one size (not only the selected ones)."""
        if not len(self.shapes) or (self.shapes != self.shapes[0]).any():
            return False
        size = int(self.shapes[0].prod())
        return self.images.size % size == 0 and not (self.starts % size).any()

    def _view(self, flat: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        height, width = (int(side) for side in self.shapes[index])
        start = int(self.starts[index])
        return flat[start : start + height * width].reshape(height, width)


class PixelsBuilder:
    """Collects tiles one by one; masks stay stored codes until `build` maps them to classes."""

    def __init__(self) -> None:
        self._images, self._codes = bytearray(), bytearray()
        self._shapes: list[tuple[int, ...]] = []

    def __len__(self) -> int:
        return len(self._shapes)

    def add(self, image: NDArray[np.uint8], codes: NDArray[np.uint8] | None) -> None:
        """Append one tile.

        Args:
            image: grey image `uint8 (H, W)`.
            codes: codes of its mask `uint8 (H, W)`; None for every tile of an unlabelled set.
        """
        self._shapes.append(image.shape)
        self._images += image.tobytes()
        if codes is not None:
            self._codes += codes.tobytes()

    def replace(self, index: int, image: NDArray[np.uint8]) -> None:
        """Put another image of the same size in the place of one."""
        start = sum(height * width for height, width in self._shapes[:index])
        self._images[start : start + image.size] = image.tobytes()

    def build(self, classes: bytes | None = None) -> Pixels:
        """The pixels of all tiles.

        Args:
            classes: 256 bytes that map a mask code to its class {0, 1, 255}; None if there are
                no masks.
        """
        codes = self._codes if classes is None else self._codes.translate(classes)
        return Pixels.of(
            np.frombuffer(self._images, np.uint8),
            np.frombuffer(codes, np.uint8),
            np.array(self._shapes, np.int32).reshape(-1, 2),
        )
