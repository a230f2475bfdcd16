"""The Lovász hinge: a convex surrogate of 1 − IoU of each tile."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def symmetric_lovasz_hinge(margins: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Mean of the Lovász hinges of salt and of background, for each tile.

    Berman et al. 2018 (arXiv 1705.08790), with ELU + 1 instead of ReLU, so that pixels beyond the
    margin still contribute a little. Background with negated margins has the same errors as salt,
    so one sort serves both.

    Args:
        margins: `float32 (N, P)`: logit of salt − logit of background, of each pixel.
        truth: `bool (N, P)`: salt.
        valid: `bool (N, P)`: pixels that are not ignored.

    Returns:
        `float32 (N,)`, 0 for tiles without a valid pixel.
    """
    errors = 1 - torch.where(truth, margins, -margins)
    weights = _weights(errors.detach(), truth, valid)
    # ELU + 1, in functions that are vectorised on CPUs
    shaped = errors.clamp(max=0).exp() + errors.clamp(min=0)
    return (shaped * weights).sum(dim=1)


def _weights(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Weight of each pixel's error: by how much it raises 1 − IoU after all larger errors.

    The mean of the weights for salt and for background; `float32 (N, P)`, 0 where not valid.
    """
    # ignored pixels go last
    order = _ascending(torch.where(valid, -errors, torch.inf))
    salt = (truth & valid).float().gather(1, order).cumsum(1)
    places = torch.arange(1, errors.shape[1] + 1, dtype=torch.float32, device=errors.device)
    background = places.minimum(valid.sum(dim=1, keepdim=True)) - salt
    losses = _losses(salt, background) + _losses(background, salt)
    steps = losses.diff(dim=1, prepend=losses.new_zeros(len(losses), 1)) / 2
    return torch.empty_like(errors).scatter_(1, order, steps)


def _losses(missed: Tensor, false: Tensor) -> Tensor:
    """1 − IoU of a class if the first pixels of each row are wrong, `float32 (N, P)`.

    Args:
        missed: `float32 (N, P)`: how many of them belong to the class; the last is its size.
        false: how many do not.
    """
    size = missed[:, -1:]
    # a class without pixels has IoU 0 after the first false positive, and 1 before it
    whole = size + false
    return 1 - torch.where(whole > 0, (size - missed) / whole.clamp(min=1), 1.0)


def _ascending(keys: Tensor) -> Tensor:
    """Indices `int64 (N, P)` that sort each row."""
    if keys.device.type == "cpu":  # NumPy's vectorised sort takes a sixth of PyTorch's time
        return torch.from_numpy(np.argsort(keys.numpy(), axis=1))
    return keys.argsort(dim=1)
