"""A running average of a network's weights: smoother than they are, and often better."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from diapir.models import Network


class AveragedNetwork:
    """An exponential moving average of a network in training.

    The decay starts low, at (1 + t) / (10 + t) after t updates, so that the first weights are soon
    forgotten. The statistics of batch norms are averaged as the weights are: of averaged weights,
    the averaged means are right to first order, and those of the newest weights are not.

    Args:
        network: the network, before it is wrapped for processes or precision.
        decay: of the average, in [0, 1).

    Attributes:
        network: the averaged network; it is never trained.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self._decay = decay
        self._updates = 0
        self.network: Network = copy.deepcopy(network)
        self.network.requires_grad_(False).eval()

    def update(self, network: nn.Module) -> None:
        """Take the network's weights after a step into the average."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        averages, values = self.network.state_dict(), network.state_dict()
        floating = [name for name, value in values.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [averages[name] for name in floating], [values[name] for name in floating], 1 - decay
        )
        for name in averages.keys() - set(floating):  # counters
            averages[name].copy_(values[name])

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` goes on from."""
        return {"updates": self._updates, "network": self.network.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._updates = int(state["updates"])
        self.network.load_state_dict(state["network"])
