"""Augmentation of training tiles: random draws per tile, applied to a whole batch at once.

The draws of a step depend on the run's seed and the step alone, and are made for the whole batch
before it is shared among processes; so neither resuming nor the number of processes changes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diapir.config import IGNORE, AugmentConfig, PreprocessConfig
from diapir.preprocess import padding

CUTOUT = (0.1, 0.35)
"""Smallest and largest side of the cutout rectangle, as a share of the tile's."""

CONTROLS = 4
"""Control points of the elastic deformation per side: few, so that it is smooth and does not
fold."""

ELASTIC_REACH = 1.9
"""Largest displacement between control points, over the largest at them: bicubic interpolation
overshoots."""

GREY = 127.5
"""Grey level of the cutout: zero amplitude."""

_SAMPLING = {"zero": "zeros", "reflect": "reflection", "edge": "border"}

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of each of n tiles, in the order in which it is applied."""

    flip: Flags
    """`(n,)`: horizontal flip."""
    gain: Floats
    """`(n,)`: contrast factor about the tile's mean."""
    offset: Floats
    """`(n,)`: added to the grey levels, as a share of their range."""
    invert: Flags
    """`(n,)`: reversed polarity."""
    cutout: Floats
    """`(n, 4)`: top, left, bottom, right of the cutout, as shares of the tile's sides."""
    matrix: Floats
    """`(n, 2, 2)`: maps a pixel's (x, y) from the centre to where it is sampled."""
    shift: Floats
    """`(n, 2)`: (x, y) added to that, as shares of the tile's sides."""
    elastic: Floats
    """`(n, 2, CONTROLS, CONTROLS)`: (x, y) displacements at the control points of the elastic
    deformation, as shares of the input's side."""

    def __len__(self) -> int:
        return len(self.flip)

    def take(self, rows: slice | NDArray[np.int64]) -> Augmentation:
        """The augmentation of some of the tiles."""
        return Augmentation(*(getattr(self, each.name)[rows] for each in fields(self)))

    @property
    def bend(self) -> Floats:
        """`(n,)`: largest elastic displacement at a control point, as a share of the side."""
        most: Floats = np.abs(self.elastic).max(axis=(1, 2, 3))
        return most

    @property
    def moves_pixels(self) -> bool:
        """Whether any tile is scaled, rotated, shifted or deformed."""
        moved = bool((self.matrix != np.eye(2)).any())
        return moved or bool(self.shift.any()) or bool(self.elastic.any())


def draw(
    config: AugmentConfig, count: int, seed: Sequence[int], flip: Flags | None = None
) -> Augmentation:
    """Draw the augmentation of `count` tiles.

    Args:
        config: the ranges.
        count: number of tiles.
        seed: the numbers that all draws depend on.
        flip: `(count,)`: which tiles to flip; None draws them.
    """
    # everything is always drawn, so that one key of a recipe does not change the draws of another
    rng = np.random.default_rng(seed)
    chance = rng.uniform(size=(3, count))
    both_ways = rng.uniform(-1, 1, size=(7, count))
    sides = rng.uniform(*CUTOUT, size=(2, count))
    corner = rng.uniform(size=(2, count)) * (1 - sides)
    zoom = (1 + config.scale) ** both_ways[0]
    taller = (1 + config.stretch) ** both_ways[1]
    angle = np.deg2rad(config.rotate) * both_ways[2]
    # the inverse of stretching, rotating and zooming
    across = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    down = np.stack([-np.sin(angle), np.cos(angle)], axis=1) / taller[:, None]
    painted = chance[2] < config.cutout
    elastic = np.zeros((count, 2, CONTROLS, CONTROLS))
    if config.elastic:
        bent = np.random.default_rng([*seed, 5]).uniform(-1, 1, size=elastic.shape)
        elastic = config.elastic * bent
    return Augmentation(
        flip=chance[0] < 0.5 * (config.flip == "random") if flip is None else flip,
        gain=(1 + config.contrast) ** both_ways[3],
        offset=config.brightness * both_ways[4],
        invert=chance[1] < config.polarity,
        cutout=(np.concatenate([corner, corner + sides]) * painted).T,
        matrix=np.stack([across, down], axis=1) / zoom[:, None, None],
        shift=config.shift * both_ways[5:].T,
        elastic=elastic,
    )


def without_geometry(augmentation: Augmentation) -> Augmentation:
    """The augmentation without scale, rotation and shift, which windows get when they are cut."""
    count = len(augmentation)
    return replace(
        augmentation, matrix=np.tile(np.eye(2), (count, 1, 1)), shift=np.zeros((count, 2))
    )


def alternate_flips(ids: Sequence[str], *, seed: int, epoch: int) -> Flags:
    """Which tiles are flipped in an epoch: each tile every second epoch, half of them at a time.

    In two epochs a network then sees both orientations of every tile, which random flips do not
    guarantee (Jordan, arXiv 2404.00498).
    """
    phases = [hashlib.blake2b(f"{seed} {tile}".encode(), digest_size=1).digest()[0] for tile in ids]
    flips: Flags = (np.array(phases, dtype=np.int64) + epoch) % 2 == 1
    return flips


def augment(
    images: Tensor,
    masks: Tensor,
    augmentation: Augmentation,
    config: PreprocessConfig,
    size: int | None = None,
    offset: Floats | None = None,
) -> tuple[Tensor, Tensor]:
    """Augment tiles of one size, and turn them into the network's input.

    Without augmentation this is `preprocess.to_input` and `pad_masks`, except for rounding.

    Args:
        images: `uint8 (N, H, W)`, grey.
        masks: `uint8 (N, H, W)` of {0, 1, 255}.
        augmentation: the augmentation of the N tiles.
        config: size, padding, mean and standard deviation of the network's input.
        size: side of a smaller input that covers the same area; None takes `config.size`.
        offset: `(N, 2)`: for tiles larger than the input, (x, y) in pixels from the centre of each
            to that of its crop; None for the centre.

    Returns:
        images `float32 (N, 3, size, size)`, and masks `int64 (N, size, size)`, 255 where a pixel
        is sampled outside its tile.
    """
    grey, kept = sample(images, masks, augmentation, config, size, offset)
    return normalised(grey, config), kept


def sample(
    images: Tensor,
    masks: Tensor,
    augmentation: Augmentation,
    config: PreprocessConfig,
    size: int | None = None,
    offset: Floats | None = None,
) -> tuple[Tensor, Tensor]:
    """As `augment`, before the network's scale: images `float32 (N, size, size)` in [0, 255]."""

    def column(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(images.device)[:, None, None]

    flip = column(augmentation.flip)
    images = torch.where(flip, images.flip(2), images)
    masks = torch.where(flip, masks.flip(2), masks)
    grey = _paint(_shade(images, augmentation), augmentation)
    grid = _grid(augmentation, grey, config, size or config.side, offset)
    seen = functional.grid_sample(
        grey[:, None], grid, padding_mode=_SAMPLING[config.pad], align_corners=True
    )
    # as a difference to 255, so that zeros sampled outside the tile become 255
    kept = functional.grid_sample(
        masks[:, None].float() - IGNORE, grid, mode="nearest", align_corners=True
    )
    return seen[:, 0], (kept[:, 0] + IGNORE).long()


def normalised(grey: Tensor, config: PreprocessConfig) -> Tensor:
    """Grey images `float32 (N, H, W)` in [0, 255] as the network takes them: `(N, 3, H, W)`."""
    mean, std = np.array(config.mean), np.array(config.std)
    factor, less = (
        torch.from_numpy(values).float().to(grey.device)[:, None, None]
        for values in (1 / (255 * std), -mean / std)
    )
    return torch.addcmul(less, grey[:, None], factor)


def _shade(images: Tensor, augmentation: Augmentation) -> Tensor:
    """Contrast, brightness and polarity of `uint8 (N, H, W)`; `float32` within [0, 255]."""
    gain, offset = (
        torch.from_numpy(values).float().to(images.device)[:, None, None]
        for values in (augmentation.gain, augmentation.offset)
    )
    grey = images.float()
    mean = grey.mean(dim=(1, 2), keepdim=True)
    grey = torch.addcmul(mean + 255 * offset, grey - mean, gain).clamp_(0, 255)
    invert = torch.from_numpy(augmentation.invert).to(images.device)[:, None, None]
    return torch.where(invert, 255 - grey, grey)


def _paint(grey: Tensor, augmentation: Augmentation) -> Tensor:
    """Apply the cutouts to `float32 (N, H, W)`."""
    if not augmentation.cutout.any():
        return grey
    height, width = grey.shape[1:]
    boxes = np.rint(augmentation.cutout * [height, width, height, width])
    top, left, bottom, right = torch.from_numpy(boxes).to(grey.device).T[..., None]
    y, x = (torch.arange(side, device=grey.device) for side in (height, width))
    rows, columns = (top <= y) & (y < bottom), (left <= x) & (x < right)
    return torch.where(rows[:, :, None] & columns[:, None, :], GREY, grey)


def _grid(
    augmentation: Augmentation,
    grey: Tensor,
    config: PreprocessConfig,
    size: int,
    offset: Floats | None,
) -> Tensor:
    """Where each pixel is sampled, `float32 (N, size, size, 2)`, as `grid_sample` takes it."""
    height, width = grey.shape[1:]
    sides = np.array([width, height], np.float64)
    seen = np.minimum(sides, config.side)  # of the tile, or of its crop
    pads = padding(int(seen[1]), int(seen[0]), config)
    # an output pixel, from -1 to 1, → pixels of the padded frame → pixels from the crop's centre
    reach = (size - 1) / 2 * config.side / size
    centre = (config.side - 1) / 2 - np.array([pads.left, pads.top]) - (seen - 1) / 2
    # whole pixels, so that a shift alone does not blur
    shift = np.rint(augmentation.shift * seen)
    if offset is not None:  # the tile has been flipped, and its crop with it
        mirrored = np.where(augmentation.flip[:, None], [-1.0, 1.0], 1.0)
        shift = shift + mirrored * offset
    matrix = np.concatenate(
        [augmentation.matrix * reach, (augmentation.matrix @ centre + shift)[..., None]], axis=2
    )
    half = np.maximum(sides - 1, 1)[:, None] / 2  # −1 and 1 are the outermost pixels of the tile
    matrix /= half
    by_x, by_y, still = torch.from_numpy(matrix).float().to(grey.device)[:, None, None].unbind(4)
    # `affine_grid` by two additions: its matrix product takes ten times as long on a CPU
    line = torch.linspace(-1, 1, size, device=grey.device)
    grid = by_x * line[:, None] + (by_y * line[:, None, None] + still)
    if not augmentation.elastic.any():
        return grid
    return grid + _bent(augmentation.elastic * config.side / half[:, :, None], size, grey.device)


def _bent(controls: Floats, size: int, device: torch.device) -> Tensor:
    """Displacements `float32 (N, size, size, 2)` between control points `(N, 2, k, k)`.

    Elastic deformation (Simard et al. 2003), smooth by bicubic interpolation.
    """
    points = torch.from_numpy(controls).float().to(device)
    bent = functional.interpolate(points, (size, size), mode="bicubic", align_corners=True)
    return bent.permute(0, 2, 3, 1)
