"""Losses, each from one definition.

Every term is a ratio of sums over the valid pixels of the whole batch, so a batch that is shared
among processes is scored as one: the sums are added up across them, gradient included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from diapir.config import IGNORE, LossConfig

_TINY = 1e-7  # keeps 0/0 away where a batch has no valid pixel


class LossTerms(NamedTuple):
    """Scalars `float32 ()` of one batch.

    Attributes:
        total: `ce` weight · cross entropy + `dice` weight · (1 − soft Dice).
        ce: mean cross entropy of the valid pixels, in nats.
        dice: soft Dice of salt, in [0, 1].
    """

    total: Tensor
    ce: Tensor
    dice: Tensor


def segmentation_loss(
    logits: Tensor,
    masks: Tensor,
    config: LossConfig,
    pool: Callable[[Tensor], Tensor] = lambda sums: sums,
) -> LossTerms:
    """Cross entropy and soft Dice of a batch.

    Soft Dice is 2·Σp·g / (Σp + Σg) of the salt channel (Milletari et al., arXiv 1606.04797, without
    squares). Pixels marked 255 count nowhere. A batch without salt has soft Dice 0, so false salt
    there is always paid for.

    Args:
        logits: `float32 (N, 2, H, W)`.
        masks: `int64 (N, H, W)` of {0, 1, 255}.
        config: the two weights.
        pool: adds the sums `float32 (4,)` of all processes, keeping the gradient.
    """
    logits = logits.float()
    salt = functional.softmax(logits, dim=1)[:, 1]
    valid = masks != IGNORE
    truth = (masks == 1).float()
    salt = salt * valid
    sums = pool(
        torch.stack(
            [
                functional.cross_entropy(logits, masks, ignore_index=IGNORE, reduction="sum"),
                valid.sum(),
                (salt * truth).sum(),
                salt.sum() + truth.sum(),
            ]
        )
    )
    cross_entropy, pixels, hit, marked = sums.unbind()
    ce = cross_entropy / pixels.clamp(min=1)
    dice = 2 * hit / marked.clamp(min=_TINY)
    return LossTerms(config.ce * ce + config.dice * (1 - dice), ce, dice)
