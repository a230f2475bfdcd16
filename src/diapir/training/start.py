"""Start training from the weights of an earlier run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from diapir import bundle
from diapir.errors import ConfigError
from diapir.text import listing


def start_from(network: nn.Module, model: Path) -> str:
    """Load the weights of a run or bundle of the same architecture into a network.

    Args:
        network: the network; auxiliary outputs, which only training uses, may be missing in the
            bundle.
        model: a run folder, or a bundle folder with weights.

    Returns:
        A line for the log.

    Raises:
        BundleError: there is no bundle, or it has no trainable weights.
        ConfigError: the tensors do not fit the network.
    """
    source = bundle.load(model)
    tensors = {name: torch.from_numpy(value) for name, value in source.tensors().items()}
    expected = network.state_dict()
    auxiliary = ("salt.", "deep.")
    faults = [
        f"{name} is missing"
        for name in expected
        if name not in tensors and not name.startswith(auxiliary)
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
            fix="use the model section of its recipe, or remove train.start",
        )
    network.load_state_dict(tensors, strict=False)
    return f"Started from {source.info.name} ({source.path})"
