"""Networks with the trained weights of a bundle, to run them or to train on from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from diapir import bundle as bundles
from diapir import models
from diapir.bundle import WEIGHTS, Bundle
from diapir.errors import BundleError, ConfigError
from diapir.models.network import Network, check_size
from diapir.text import listing

AUXILIARY = ("salt", "deep")
"""Parts of a network that only `outputs` uses. A bundle may lack them."""


@dataclass(frozen=True)
class Trained:
    """A network in float32 on the CPU, in training mode, with the weights of a bundle.

    Attributes:
        network: all its parameters can be trained, those of auxiliary outputs too.
        bundle: the model: `bundle.info` has its preprocessing, threshold and training.
        initialised: the parts of `AUXILIARY` that the bundle lacks, which are newly initialised.
    """

    network: Network
    bundle: Bundle
    initialised: tuple[str, ...] = ()


def load_trained(model: str | Path | Bundle | None, *, module: nn.Module | None = None) -> Trained:
    """Load a model to train on from it, or to run it in PyTorch.

    Weights that are stored as float16 are loaded as float32. The caller's random numbers do not
    change.

    Args:
        model: a run folder, a bundle folder, the name of a bundled model (`general`, `salt`), or a
            bundle that was loaded already; None for the default bundled model.
        module: the network of a model that was trained with one of somebody else's, which gets the
            weights.

    Raises:
        ConfigError: a model of somebody else's network, which is neither installed nor given.
        BundleError: no such model, files that have changed, an export without trainable weights, or
            weights that do not fit the architecture.
    """
    bundle = model if isinstance(model, Bundle) else bundles.load(model)
    # initialising the weights draws random numbers, which must not change the caller's:
    # a run continues the same whether it is evaluated in between or not
    with torch.random.fork_rng(devices=[]):
        network = models.build(bundle.info.model, module=module, size=bundle.info.preprocess.side)
    try:
        check_size(network, bundle.info.preprocess.side)
    except ConfigError as error:
        raise BundleError(
            f"{bundle.path}: {error.found}",
            expected=error.expected,
            fix="copy the bundle again from where it was made, or train it again",
        ) from None
    tensors = bundle.tensors()
    if faults := misfits(network, tensors):
        raise BundleError(
            f"{bundle.path / WEIGHTS} does not fit its architecture: "
            + listing(faults, separator="; "),
            expected=f"the {len(network.state_dict())} tensors of {bundle.info.model!r}",
            fix="copy the bundle again from where it was made, or train it again",
        )
    return Trained(network, bundle, put_weights(network, tensors))


def misfits(
    network: Network, tensors: Mapping[str, NDArray[Any]], optional: tuple[str, ...] = AUXILIARY
) -> list[str]:
    """Why tensors do not fit a network, one reason for each tensor; empty if they do.

    A whole part of `optional` may be missing.
    """
    expected = network.state_dict()
    missing = tuple(f"{part}." for part in _missing_parts(network, tensors, optional))
    faults = [
        f"{name} is missing"
        for name in expected
        if name not in tensors and not name.startswith(missing)
    ]
    faults += [f"{name} is unknown" for name in tensors if name not in expected]
    faults += [
        f"{name} is {tensors[name].shape} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in tensors and tensors[name].shape != tuple(value.shape)
    ]
    return faults


def put_weights(
    network: Network, tensors: Mapping[str, NDArray[Any]], optional: tuple[str, ...] = AUXILIARY
) -> tuple[str, ...]:
    """Put tensors without `misfits` into a network.

    Returns:
        The parts of `optional` that keep the network's own values.
    """
    network.load_state_dict(
        {name: torch.from_numpy(value) for name, value in tensors.items()}, strict=False
    )
    return _missing_parts(network, tensors, optional)


def _missing_parts(
    network: Network, tensors: Mapping[str, NDArray[Any]], parts: tuple[str, ...]
) -> tuple[str, ...]:
    def has(names: Iterable[str], part: str) -> bool:
        return any(name.startswith(f"{part}.") for name in names)

    needed = network.state_dict()
    return tuple(part for part in parts if has(needed, part) and not has(tensors, part))
