"""Exponential moving average (EMA) of a network's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from diapir.models import Network


class AveragedNetwork:
    """torch's `AveragedModel` with an EMA whose decay is warmed up.

    After t updates the decay is min(decay, (1 + t) / (10 + t)), so that the initial weights are
    soon forgotten; torch's own EMA has a constant decay. The statistics of batch norms are averaged
    like the weights: for averaged weights, averaged means are right to first order, and the latest
    network's are not.

    Args:
        network: the network, before it is wrapped for several processes or mixed precision.
        decay: of the average, in [0, 1).
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._average = AveragedModel(network, multi_avg_fn=_warmed_up(decay), use_buffers=True)
        self._average.requires_grad_(False).eval()
        self._average.n_averaged.fill_(
            1
        )  # the initial weights; else the first update replaces them

    @property
    def network(self) -> Network:
        """The averaged network, in evaluation mode."""
        return cast(Network, self._average.module)

    def update(self, network: nn.Module) -> None:
        """Add the network's weights after a step to the average."""
        self._average.update_parameters(network)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` restores."""
        updates = int(self._average.n_averaged) - 1
        return {"updates": updates, "network": self.network.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        self._average.n_averaged.fill_(1 + int(state["updates"]))
        self.network.load_state_dict(state["network"])


def _warmed_up(decay: float) -> Callable[[Any, Any, Tensor | int], None]:
    def update(averages: list[Tensor], values: list[Tensor], averaged: Tensor | int) -> None:
        if not averages[0].is_floating_point():  # counters of batch norms
            torch._foreach_copy_(averages, values)
            return
        count = int(averaged)
        torch._foreach_lerp_(averages, values, 1 - min(decay, count / (9 + count)))

    return update
