"""The boundary loss: how far from the outline of the salt the wrongly predicted pixels are."""

from __future__ import annotations

import torch
from torch import Tensor


def distance_maps(masks: Tensor) -> Tensor:
    """Signed distances in pixels to the outline of the salt (Kervadec et al., arXiv 1812.07032).

    Positive in background: the distance to the nearest salt. Negative in salt: 1 − the distance to
    the nearest background. Ignored pixels are neither, and have 0, as has a mask without salt or
    without background: it has no outline.

    Args:
        masks: `int64 (N, H, W)` of {0, 1, 255}.

    Returns:
        `float32 (N, H, W)`.
    """
    maps = torch.zeros(masks.shape, dtype=torch.float32, device=masks.device)
    for mask, signed in zip(masks, maps, strict=True):
        salt, background = mask == 1, mask == 0
        if salt.any() and background.any():
            signed += background * distances(salt) - salt * (distances(background) - 1)
    return maps


def distances(chosen: Tensor) -> Tensor:
    """Euclidean distance of each pixel to the nearest of the chosen ones, at least one.

    Exact, by one pass along the rows and one along the columns (as Felzenszwalb and Huttenlocher
    2012), in torch, so that masks stay on their device.

    Args:
        chosen: `bool (H, W)`.

    Returns:
        `float32 (H, W)` in pixels.
    """
    height, width = chosen.shape
    # not infinity, whose difference to itself would be NaN
    far = 2.0 * (height + width)
    column = torch.arange(width, dtype=torch.float32, device=chosen.device)
    left = torch.where(chosen, column, -far).cummax(dim=1).values
    right = torch.where(chosen, column, far + width).flip(1).cummin(dim=1).values.flip(1)
    along = torch.minimum(column - left, right - column).square()  # of the nearest in the row
    row = torch.arange(height, dtype=torch.float32, device=chosen.device)
    down = (row[:, None] - row).square()  # (to, from)
    return torch.stack([(down[at, :, None] + along).amin(dim=0) for at in range(height)]).sqrt()


def boundary_sum(salt: Tensor, masks: Tensor) -> Tensor:
    """Sum over the valid pixels of the probability of salt times the signed distance, `()`.

    Args:
        salt: `float32 (N, H, W)` in [0, 1].
        masks: `int64 (N, H, W)` of {0, 1, 255}.
    """
    return (salt * distance_maps(masks)).sum()
