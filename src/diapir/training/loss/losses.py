"""Loss terms.

Every term is a ratio of sums over the whole batch. The sums are added up over the parts of a batch
and over all processes, so a batch has the same loss however it is divided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from diapir.config import IGNORE, LossConfig, weight_at
from diapir.training.loss.boundary import boundary_sum
from diapir.training.loss.lovasz import symmetric_lovasz_hinge

_TINY = 1e-7  # avoids 0/0 where a batch has no valid pixel

Pool = Callable[[Tensor], Tensor]
"""Adds up sums `float32 (K,)` over all processes, with gradient."""

Sums = dict[str, Tensor]
"""Sums over the pixels or tiles of a batch, `float32 ()` each, by name."""


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
    """The loss of a batch: `loss_terms` of its `segmentation_sums`.

    Args:
        logits: `float32 (N, 2, H, W)`.
        masks: `int64 (N, H, W)` of {0, 1, 255}.
        config: the weights.
        pool: adds up sums over all processes.
        ramped: completed share of the ramp of the weights, in [0, 1].
    """
    sums = segmentation_sums(logits, masks, config, ramped)
    return loss_terms(pooled(sums, pool), config, ramped)


def pooled(sums: Sums, pool: Pool) -> Sums:
    """The sums over all processes."""
    return dict(zip(sums, pool(torch.stack(list(sums.values()))).unbind(), strict=True))


def segmentation_sums(
    logits: Tensor, masks: Tensor, config: LossConfig, ramped: float = 1.0
) -> Sums:
    """The sums that the terms of the loss are made of; arguments as for `segmentation_loss`."""
    # for two classes the softmax is the sigmoid of the difference, in a third of the time
    margins = logits[:, 1].float() - logits[:, 0].float()
    valid, truth = masks != IGNORE, masks == 1
    each = functional.softplus(torch.where(truth, -margins, margins)) * valid
    salt = margins.sigmoid() * valid
    entropy, pixels = each, valid
    if config.class_weights != (1, 1):
        background, of_salt = config.class_weights
        weights = torch.where(truth, of_salt, background)
        entropy, pixels = each * weights, valid * weights
    sums = {
        "ce": entropy.sum(),
        "weights": pixels.sum(),
        "overlap": (salt * truth).sum(),
        "both": salt.sum() + truth.sum(),
    }
    if weight_at(config.lovasz, ramped):
        known = valid.flatten(1)
        hinges = symmetric_lovasz_hinge(margins.flatten(1), truth.flatten(1), known)
        sums |= {"lovasz": hinges.sum(), "tiles": known.any(dim=1).sum()}
    if weight_at(config.focal, ramped):
        hard = (1 - (-each).exp()).clamp(min=_TINY) ** config.focal_gamma
        sums |= {"focal": (hard * each).sum(), "valid": valid.sum()}
    if weight_at(config.tversky, ramped):
        sums |= {"predicted": salt.sum(), "truth": truth.sum()}
    if weight_at(config.boundary, ramped):
        sums |= {"boundary": boundary_sum(salt, masks), "valid": valid.sum()}
    return sums


def loss_terms(sums: Sums, config: LossConfig, ramped: float = 1.0) -> LossTerms:
    """Cross entropy, soft Dice and the further terms of a batch from its sums.

    - Soft Dice is 2·Σp·g / (Σp + Σg) of the salt channel (Milletari et al., arXiv 1606.04797,
      without squares). A batch without salt has soft Dice 0.
    - The Lovász hinge is the mean over the tiles with a valid pixel.
    - Focal loss (Lin et al., arXiv 1708.02002), without class weights: the mean over the valid
      pixels of (1 − p)^γ times the cross entropy, for p the probability of the right class.
    - Tversky (Salehi et al., arXiv 1706.05721): 1 − TP / (TP + α·FP + β·FN) with soft counts; with
      α = β = 0.5 it is 1 − soft Dice.
    - Boundary loss (Kervadec et al., arXiv 1812.07032): the mean over the valid pixels of the
      probability of salt times the signed distance to its outline in pixels; it may be negative.

    Pixels of 255 are ignored in all of them.
    """
    ce = sums["ce"] / sums["weights"].clamp(min=_TINY if config.class_weights != (1, 1) else 1)
    dice = 2 * sums["overlap"] / sums["both"].clamp(min=_TINY)
    total = weight_at(config.ce, ramped) * ce + weight_at(config.dice, ramped) * (1 - dice)
    if lovasz := weight_at(config.lovasz, ramped):
        total = total + lovasz * sums["lovasz"] / sums["tiles"].clamp(min=1)
    if focal := weight_at(config.focal, ramped):
        total = total + focal * sums["focal"] / sums["valid"].clamp(min=1)
    if tversky := weight_at(config.tversky, ramped):
        found = sums["overlap"]
        wrong = config.tversky_alpha * (sums["predicted"] - found)
        wrong = wrong + config.tversky_beta * (sums["truth"] - found)
        total = total + tversky * (1 - found / (found + wrong).clamp(min=_TINY))
    if boundary := weight_at(config.boundary, ramped):
        total = total + boundary * sums["boundary"] / sums["valid"].clamp(min=1)
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
    sums = auxiliary_sums(salt, deep, masks)
    if not sums:
        return masks.new_zeros((), dtype=torch.float32)
    return auxiliary_terms(pooled(sums, pool), config)


def auxiliary_sums(salt: Tensor | None, deep: tuple[Tensor, ...], masks: Tensor) -> Sums:
    """The sums that the auxiliary loss is made of; arguments as for `auxiliary_loss`."""
    valid = masks != IGNORE
    truth = (masks == 1).float()[:, None]
    known = valid.float()[:, None]
    sums: Sums = {}
    if salt is not None:
        counted = valid.flatten(1).any(dim=1).float()
        entropy = functional.binary_cross_entropy_with_logits(
            salt.float(), truth.flatten(1).amax(dim=1), weight=counted, reduction="sum"
        )
        sums |= {"empty": entropy, "counted": counted.sum()}
    for number, each in enumerate(deep):
        coarse, cells = _coarse_cross_entropy(each, truth, known)
        sums |= {f"deep {number}": coarse, f"cells {number}": cells}
    return sums


def auxiliary_terms(sums: Sums, config: LossConfig) -> Tensor:
    """The auxiliary loss of a batch from its sums."""
    loss = next(iter(sums.values())).new_zeros((), dtype=torch.float32)
    if "empty" in sums:
        loss = loss + config.empty * sums["empty"] / sums["counted"].clamp(min=1)
    deep = [name for name in sums if name.startswith("deep ")]
    if deep:
        entropies = torch.stack([sums[name] for name in deep])
        cells = torch.stack([sums[name.replace("deep", "cells")] for name in deep])
        loss = loss + config.deep * (entropies / cells.clamp(min=_TINY)).mean()
    return loss


def _coarse_cross_entropy(logits: Tensor, truth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over coarse cells of their cross entropy and of their share of valid pixels.

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
    return entropy, valid.sum()
