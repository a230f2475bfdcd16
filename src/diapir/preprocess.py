"""From a tile to the network's input and back, for training and inference. NumPy only.

The settings (`PreprocessConfig`) are part of the bundle, so inference preprocesses like training.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diapir.config import IGNORE, PreprocessConfig
from diapir.errors import DataError

_NUMPY_MODE: dict[str, Literal["constant", "reflect", "edge"]] = {
    "zero": "constant",
    "reflect": "reflect",
    "edge": "edge",
}


class Padding(NamedTuple):
    """Pixels added on each side; an odd pixel is added at the bottom or right."""

    top: int
    bottom: int
    left: int
    right: int


def padding(height: int, width: int, config: PreprocessConfig) -> Padding:
    """Padding that centres a `(height, width)` tile in the network's input.

    Raises:
        DataError: the tile is larger than the input, or too small to be padded by reflection.
    """
    size = config.side
    if height > size or width > size:
        raise DataError(
            f"a tile is {height} × {width} pixels, larger than preprocess.size = {size}",
            expected=f"tiles of at most {size} × {size} pixels",
            fix=f"--set preprocess.size=N with N at least {max(height, width)}, "
            "or cut smaller tiles",
        )
    pads = centred(height, width, (size, size))
    if config.pad == "reflect" and (pads.bottom >= height or pads.right >= width):
        raise DataError(
            f"a tile of {height} × {width} pixels is too small for reflection padding to {size}",
            expected=f"tiles of at least {(size + 4) // 3} pixels per side, or another padding",
            fix="--set preprocess.pad=edge, or a smaller preprocess.size",
        )
    return pads


def centred(height: int, width: int, room: tuple[int, int]) -> Padding:
    """Padding that centres a `(height, width)` image in an input of `room` rows and columns."""
    down, across = room[0] - height, room[1] - width
    return Padding(down // 2, down - down // 2, across // 2, across - across // 2)


def padded(
    images: NDArray[np.uint8], config: PreprocessConfig, room: tuple[int, int] | None = None
) -> NDArray[np.uint8]:
    """Pad grey tiles to the input's size, `uint8 (N, height, width)`.

    Args:
        images: `uint8 (N, H, W)`.
        config: input size, padding, mean and standard deviation.
        room: height and width of the input, at least those of the images; None for `config.size`.
            Reflection may then repeat, so that an image of any size fills it.

    Raises:
        DataError: without `room`, tiles that do not fit `config.size`.
    """
    height, width = images.shape[1:]
    pads = padding(height, width, config) if room is None else centred(height, width, room)
    if not any(pads):
        return images
    return np.pad(images, ((0, 0), pads[:2], pads[2:]), mode=_NUMPY_MODE[config.pad])


def normalisation(config: PreprocessConfig) -> NDArray[np.float32]:
    """The network's input for each grey level, `float32 (256, 3)`: `(level / 255 − mean) / std`."""
    levels = np.arange(256, dtype=np.float64)[:, None] / 255
    table: NDArray[np.float32] = ((levels - np.array(config.mean)) / np.array(config.std)).astype(
        np.float32
    )
    return table


def to_input(
    images: NDArray[np.uint8], config: PreprocessConfig, room: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """Pad and normalise grey tiles.

    Args:
        images: `uint8 (N, H, W)`.
        config: input size, padding, mean and standard deviation.
        room: as for `padded`.

    Returns:
        `float32 (N, 3, height, width)`: three copies of the grey plane,
        `(image / 255 − mean) / std`.

    Raises:
        DataError: without `room`, tiles that do not fit `config.size`.
    """
    return normalised(padded(images, config, room), config)


def normalised(grey: NDArray[np.uint8], config: PreprocessConfig) -> NDArray[np.float32]:
    """Grey tiles `uint8 (N, H, W)` as the network takes them; see `to_input`."""
    table = normalisation(config)  # a lookup instead of arithmetic on every pixel
    planes = np.empty((len(grey), 3, *grey.shape[1:]), np.float32)
    planes[:, 0] = np.ascontiguousarray(table[:, 0])[grey]
    for channel in (1, 2):
        if np.array_equal(table[:, channel], table[:, 0]):  # copying is faster than looking up
            planes[:, channel] = planes[:, 0]
        else:
            planes[:, channel] = np.ascontiguousarray(table[:, channel])[grey]
    return planes


def pad_masks(masks: NDArray[np.uint8], config: PreprocessConfig) -> NDArray[np.uint8]:
    """Pad masks `uint8 (N, H, W)` like their images, with 255 (ignored): `(N, size, size)`."""
    pads = padding(masks.shape[1], masks.shape[2], config)
    return np.pad(masks, ((0, 0), pads[:2], pads[2:]), constant_values=IGNORE)


def crop(maps: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Remove the padding: `(..., size, size)` → `(..., height, width)`, centred."""
    top = (maps.shape[-2] - height) // 2
    left = (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]
