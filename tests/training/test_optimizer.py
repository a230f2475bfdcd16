"""Which weights get which optimiser."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from diapir.architectures import HaliteConfig, UNetConfig
from diapir.config import OptimizerConfig
from diapir.models import build
from diapir.training.optimizer import make_optimizer
from diapir.training.saved_state import restore_optimizer

CPU = torch.device("cpu")


def test_muon_takes_the_convolutions_between_features_and_keeps_the_main_rate_first() -> None:
    network = build(HaliteConfig(encoder="test_resnet", widths=(8, 8, 8, 8)))
    config = OptimizerConfig(name="muon", lr=1e-2, encoder_lr=1e-3)
    groups = make_optimizer(network, config, CPU).param_groups
    names = {id(weights): name for name, weights in network.named_parameters()}
    inner = [names[id(w)] for g in groups if not g.get("use_fallback") for w in g["params"]]
    rest = [names[id(w)] for g in groups if g.get("use_fallback") for w in g["params"]]
    assert sorted(inner + rest) == sorted(names.values())
    sizes = dict(network.named_parameters())
    assert inner
    assert all(sizes[name].ndim == 4 for name in inner)
    assert "head.predict.weight" in rest
    assert all(name in rest for name, weights in sizes.items() if 3 in weights.shape[1:2])
    assert groups[0]["lr"] == 1e-2
    encoder = {id(weights) for part in network.encoder_parts for weights in part.parameters()}
    for group in groups:
        rate = {1e-3 if id(weights) in encoder else 1e-2 for weights in group["params"]}
        assert rate == {group["lr"]}


def test_a_step_of_muon_is_orthogonal_and_as_large_as_one_of_adamw() -> None:
    network = build(HaliteConfig(encoder="test_resnet", widths=(8, 8, 8, 8)))
    weights = next(w for w in network.parameters() if w.ndim == 4 and 8 < w.shape[1] < 100)
    before = weights.detach().clone()
    optimizer = make_optimizer(network, OptimizerConfig(name="muon", lr=1e-2, weight_decay=0), CPU)
    torch.manual_seed(0)
    for each in network.parameters():
        each.grad = torch.randn_like(each)
    optimizer.step()
    moved = (weights.detach() - before).flatten(1)
    lengths = torch.linalg.svdvals(moved)
    assert float(lengths.min() / lengths.max()) > 0.5  # of a random matrix, about 0.6 / 1.4
    assert 0.1e-2 < float(moved.square().mean().sqrt()) < 0.4e-2


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("adam", lambda weights: torch.optim.Adam(weights, lr=0.01, weight_decay=0.1)),
        (
            "sgd",
            lambda weights: torch.optim.SGD(
                weights, lr=0.01, weight_decay=0.1, momentum=0.8, nesterov=True
            ),
        ),
    ],
)
def test_steps_are_those_of_pytorch(
    name: Literal["adam", "sgd"],
    reference: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
) -> None:
    networks = []
    for ours in (True, False):
        torch.manual_seed(0)
        network = build(UNetConfig(base=1, levels=1))
        config = OptimizerConfig(
            name=name, lr=0.01, weight_decay=0.1, momentum=0.8, nesterov=name == "sgd"
        )
        optimizer = make_optimizer(network, config, CPU) if ours else None
        optimizer = optimizer or reference(network.parameters())
        for step in range(3):
            generator = torch.Generator().manual_seed(step)
            for weights in network.parameters():
                weights.grad = torch.randn(weights.shape, generator=generator)
            optimizer.step()
        networks.append(network)
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    "settings", [{"name": "adamw"}, {"name": "sgd", "momentum": 0.0}, {"name": "adam"}]
)
def test_nesterov_needs_sgd_with_momentum(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="nesterov needs name = sgd and a momentum"):
        OptimizerConfig(**settings, nesterov=True)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_state_of_sgd_is_restored(momentum: float) -> None:
    config = OptimizerConfig(name="sgd", momentum=momentum)
    network = build(UNetConfig(base=1, levels=1))
    first, second = (make_optimizer(network, config, CPU) for _ in range(2))
    for weights in network.parameters():
        weights.grad = torch.ones_like(weights)
    first.step()
    restore_optimizer(second, first.state_dict())
    assert str(second.state_dict()) == str(first.state_dict())
    adam = make_optimizer(network, OptimizerConfig(), CPU)
    if momentum:
        with pytest.raises(ValueError, match="the optimiser's state has momentum_buffer"):
            restore_optimizer(adam, first.state_dict())
