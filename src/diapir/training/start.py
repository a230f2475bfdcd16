"""A training that starts from the weights of an earlier one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from diapir import bundle
from diapir.errors import ConfigError
from diapir.text import listing


def start_from(network: nn.Module, model: Path) -> str:
    """Fill a network with the weights of a run or bundle of the same architecture.

    Args:
        network: the network; what only helps the training may be missing in the bundle.
        model: a run folder or a bundle folder with weights.

    Returns:
        A line for the log.

    Raises:
        BundleError: no bundle there, or one without trainable weights.
        ConfigError: its tensors do not fit.
    """
    source = bundle.load(model)
    tensors = {name: torch.from_numpy(value) for name, value in source.tensors().items()}
    expected = network.state_dict()
    helpers = ("salt.", "deep.")
    faults = [
        f"{name} is missing"
        for name in expected
        if name not in tensors and not name.startswith(helpers)
    ]
    faults += [f"{name} is unknown" for name in tensors if name not in expected]
    faults += [
        f"{name} is {tuple(tensors[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if faults:
        raise ConfigError(
            f"train.start = {str(model)!r} does not fit the network: "
            + listing(faults, separator="; "),
            expected="a model of the same architecture",
            fix="take over the model section of its recipe, or leave train.start out",
        )
    network.load_state_dict(tensors, strict=False)
    return f"Started from {source.info.name} ({source.path})"
