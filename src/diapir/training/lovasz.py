"""The Lovász hinge: a convex stand-in for 1 − IoU of each tile."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def symmetric_lovasz_hinge(margins: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Lovász hinge of each tile, of salt and of background, averaged.

    Berman et al. 2018 (arXiv 1705.08790), with ELU + 1 in place of the ReLU, so that pixels beyond
    the margin still count a little. Salt judged by the margins and background judged by the negated
    margins have the same errors, so one sort serves both.

    Args:
        margins: `float32 (N, P)`: logit of salt − logit of background, of each pixel.
        truth: `bool (N, P)`: where salt is.
        valid: `bool (N, P)`: which pixels count.

    Returns:
        `float32 (N,)`, 0 where no pixel counts.
    """
    errors = 1 - torch.where(truth, margins, -margins)
    weights = _weights(errors.detach(), truth, valid)
    return ((functional.elu(errors) + 1) * weights).sum(dim=1)


def _weights(errors: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """What each pixel's error counts: by how much it raises 1 − IoU after all larger ones.

    The mean of the weights for salt and for background; `float32 (N, P)`, 0 where not valid.
    """
    # pixels that do not count go behind all others
    order = _ascending(torch.where(valid, -errors, torch.inf))
    counted = valid.gather(1, order)
    salt = truth.gather(1, order) & counted
    background = counted & ~salt
    weights = (_steps(salt, background) + _steps(background, salt)) / 2
    return torch.zeros_like(errors).scatter_(1, order, weights)


def _steps(inside: Tensor, outside: Tensor) -> Tensor:
    """Rise of 1 − IoU of a class with each further wrong pixel, `float32 (N, P)`.

    After k wrong pixels, i of them inside the class of G pixels and o outside, its IoU is
    (G − i) / (G + o).
    """
    missed, false = inside.cumsum(1, dtype=torch.float32), outside.cumsum(1, dtype=torch.float32)
    whole = missed[:, -1:]
    # a class without a pixel has lost all with its first false one
    loss = 1 - (whole - missed) / (whole + false).clamp(min=1)
    loss = torch.where((missed + false) > 0, loss, 0.0)
    return loss.diff(dim=1, prepend=loss.new_zeros(len(loss), 1))


def _ascending(keys: Tensor) -> Tensor:
    """Indices `int64 (N, P)` that sort each row."""
    if keys.device.type == "cpu":  # NumPy's vectorised sort takes a sixth of PyTorch's time
        return torch.from_numpy(np.argsort(keys.numpy(), axis=1))
    return keys.argsort(dim=1)
