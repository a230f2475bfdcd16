"""Which weights get which optimiser."""

import torch

from diapir.architectures import HaliteConfig
from diapir.config import OptimizerConfig
from diapir.models import build
from diapir.training.optimizer import make_optimizer

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
