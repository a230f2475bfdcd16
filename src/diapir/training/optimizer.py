"""The optimiser of a recipe: AdamW, Adam, SGD, or Muon for the convolutions in the network."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from diapir.config import OptimizerConfig
from diapir.models import Network
from diapir.training.encoder import parameter_groups


def make_optimizer(network: Network, config: OptimizerConfig, device: torch.device) -> Optimizer:
    """The optimiser of a network's trainable parameters.

    Muon (Jordan et al. 2024) orthogonalises the update of a matrix. Its steps are scaled to those
    of AdamW (Liu et al., arXiv 2502.16982), so both take the same learning rate; parameters other
    than inner convolutions get AdamW with Nesterov momentum.

    Raises:
        ConfigError: a learning rate for the encoder of a network without one.
    """
    groups = parameter_groups(network, config)
    decay, fused = config.weight_decay, device.type in {"cpu", "cuda"}
    if config.name == "adamw":
        return torch.optim.AdamW(groups, weight_decay=decay, fused=fused)
    if config.name == "adam":
        return torch.optim.Adam(groups, weight_decay=decay, fused=fused)
    if config.name == "sgd":
        return torch.optim.SGD(
            groups,
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=decay,
            fused=fused,
        )
    from timm.optim import Muon

    halves = []
    for group in groups:
        inner = [value for value in group["params"] if _is_inner(value)]
        rest = [value for value in group["params"] if not _is_inner(value)]
        halves += [group | {"params": inner}, group | {"params": rest, "use_fallback": True}]
    muon: Optimizer = Muon(
        [group for group in halves if group["params"]],
        weight_decay=decay,
        nesterov=True,
        betas=(0.9, 0.999),
    )
    return muon


def _is_inner(weights: nn.Parameter) -> bool:
    """Whether these are weights of an inner convolution: no stem, no head, not depthwise.

    Muon takes `(out, in, height, width)` as a matrix with `out` rows.
    """
    return weights.ndim == 4 and min(weights.shape[:2]) >= 8
