"""Loss terms.

Every term is a ratio of sums over the whole batch, which are added up over all processes with their
gradient; so a batch has the same loss however many processes share it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from diapir.config import IGNORE, LossConfig, weight_at
from diapir.training.lovasz import symmetric_lovasz_hinge

_TINY = 1e-7  # avoids 0/0 where a batch has no valid pixel

Pool = Callable[[Tensor], Tensor]
"""Adds up sums `float32 (K,)` over all processes, with gradient."""


def _alone(sums: Tensor) -> Tensor:
    return sums


class LossTerms(NamedTuple):
    """Scalars `float32 ()` of one batch.

    Attributes:
        total: the weighted sum of the terms of the recipe.
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
    pool: Pool = _alone,
    ramped: float = 1.0,
) -> LossTerms:
    """Cross entropy, soft Dice and Lovász hinge of a batch.

    Soft Dice is 2·Σp·g / (Σp + Σg) of the salt channel (Milletari et al., arXiv 1606.04797, without
    squares). Pixels of 255 are ignored. A batch without salt has soft Dice 0, so false positives
    there always cost. The Lovász hinge is averaged over the tiles with a valid pixel.

    Args:
        logits: `float32 (N, 2, H, W)`.
        masks: `int64 (N, H, W)` of {0, 1, 255}.
        config: the weights.
        pool: adds up sums over all processes.
        ramped: completed share of the ramp of the weights, in [0, 1].
    """
    logits = logits.float()
    salt = functional.softmax(logits, dim=1)[:, 1]
    valid = masks != IGNORE
    truth = (masks == 1).float()
    salt = salt * valid
    sums = [
        functional.cross_entropy(logits, masks, ignore_index=IGNORE, reduction="sum"),
        valid.sum(),
        (salt * truth).sum(),
        salt.sum() + truth.sum(),
    ]
    lovasz = weight_at(config.lovasz, ramped)
    if lovasz:
        margins = (logits[:, 1] - logits[:, 0]).flatten(1)
        pixels, known = (masks == 1).flatten(1), valid.flatten(1)
        sums += [symmetric_lovasz_hinge(margins, pixels, known).sum(), known.any(dim=1).sum()]
    cross_entropy, counted, overlap, both, *hinge = pool(torch.stack(sums)).unbind()
    ce = cross_entropy / counted.clamp(min=1)
    dice = 2 * overlap / both.clamp(min=_TINY)
    total = weight_at(config.ce, ramped) * ce + weight_at(config.dice, ramped) * (1 - dice)
    if lovasz:
        total = total + lovasz * hinge[0] / hinge[1].clamp(min=1)
    return LossTerms(total, ce, dice)


def auxiliary_loss(
    salt: Tensor | None,
    deep: tuple[Tensor, ...],
    masks: Tensor,
    config: LossConfig,
    pool: Pool = _alone,
) -> Tensor:
    """The weighted loss `float32 ()` of the auxiliary outputs of a network.

    Args:
        salt: `float32 (N,)`, logit that the tile has any salt; None where there is no classifier.
        deep: coarser logits `float32 (N, 2, h, w)`.
        masks: `int64 (N, H, W)` of {0, 1, 255}.
        config: the weights.
        pool: adds up sums over all processes.
    """
    valid = masks != IGNORE
    truth = (masks == 1).float()[:, None]
    known = valid.float()[:, None]
    loss = masks.new_zeros((), dtype=torch.float32)
    if salt is not None:
        counted = valid.flatten(1).any(dim=1).float()
        entropy = functional.binary_cross_entropy_with_logits(
            salt.float(), truth.flatten(1).amax(dim=1), weight=counted, reduction="sum"
        )
        total, tiles = pool(torch.stack([entropy, counted.sum()])).unbind()
        loss = loss + config.empty * total / tiles.clamp(min=1)
    if deep:
        coarse = torch.stack([_coarse_cross_entropy(each, truth, known) for each in deep])
        sums = pool(coarse.flatten()).reshape(-1, 2)
        loss = loss + config.deep * (sums[:, 0] / sums[:, 1].clamp(min=_TINY)).mean()
    return loss


def _coarse_cross_entropy(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Sums over coarse cells of their cross entropy and of their share of valid pixels: `(2,)`.

    The target of a cell is its shares of salt and background, which gives the same loss as
    repeating its logits over its pixels.

    Args:
        logits: `float32 (N, 2, h, w)`.
        truth: `float32 (N, 1, H, W)`, 1 for salt.
        known: `float32 (N, 1, H, W)`, 1 for valid pixels.
    """
    size = (logits.shape[-2], logits.shape[-1])
    salt = functional.adaptive_avg_pool2d(truth, size)[:, 0]
    valid = functional.adaptive_avg_pool2d(known, size)[:, 0]
    scores = functional.log_softmax(logits.float(), dim=1)
    entropy = -(salt * scores[:, 1] + (valid - salt) * scores[:, 0]).sum()
    return torch.stack([entropy, valid.sum()])
