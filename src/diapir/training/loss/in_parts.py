"""The gradient of a batch that is too large for memory, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from diapir.training.loss.losses import LossTerms, Sums


def backward_in_parts(
    count: int,
    sums_of: Callable[[int], Sums],
    terms_of: Callable[[Sums], LossTerms],
    backward: Callable[[Tensor], None],
    network: nn.Module,
) -> LossTerms:
    """Add up the gradient of a batch over its parts.

    The terms of the loss are ratios of sums over the whole batch, so the mean of the parts' losses
    would be another loss. The parts are therefore run forward once without gradient, for the sums,
    and once more with the gradient of the loss with respect to these. The result is that of the
    whole batch, but for batch norms, which see one part at a time.

    Args:
        count: number of parts.
        sums_of: the sums of a part, by its number; the same each time it is called.
        terms_of: the loss of the sums of the batch.
        backward: computes and adds up the gradient of a scalar.
        network: the network that `sums_of` runs.

    Returns:
        The terms of the whole batch, without gradient.
    """
    with torch.no_grad(), _statistics_kept(network):
        each = [sums_of(number) for number in range(count)]
    totals = {
        name: torch.stack([sums[name].float() for sums in each]).sum(dim=0).requires_grad_()
        for name in each[0]
    }
    terms = terms_of(totals)
    slopes = torch.autograd.grad(terms.total, list(totals.values()), allow_unused=True)
    for number in range(count):
        sums = sums_of(number)
        weighted = [
            slope * sums[name]
            for name, slope in zip(totals, slopes, strict=True)
            if slope is not None
        ]
        backward(torch.stack(weighted).sum())
    return LossTerms(*(term.detach() for term in terms))


@contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch norms, which each part should change once only."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
