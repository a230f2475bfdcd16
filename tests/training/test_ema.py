"""The average of the weights follows its formula, and so do the statistics of batch norms."""

import torch

from diapir.architectures import ImprovedUNetConfig
from diapir.models import build
from diapir.training.ema import AveragedNetwork


def test_weights_and_statistics_are_averaged_and_counters_copied() -> None:
    torch.manual_seed(0)
    network = build(ImprovedUNetConfig(base=2, levels=1))
    average = AveragedNetwork(network, 0.3)
    expected = {name: value.clone() for name, value in network.state_dict().items()}
    for decay in (1 / 10, 2 / 11, 3 / 12, 0.3, 0.3):  # (1 + t) / (10 + t), then 0.3
        network.train()
        network(torch.randn(2, 3, 8, 8))  # moves the statistics
        with torch.no_grad():
            for weights in network.parameters():
                weights.add_(torch.randn_like(weights))
        average.update(network)
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value = decay * expected[name] + (1 - decay) * value
            expected[name] = value.clone()
    found = average.network.state_dict()
    assert any(name.endswith("running_mean") for name in found)
    assert any(name.endswith("num_batches_tracked") for name in found)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_the_average_is_not_trained_and_is_restored_from_its_state() -> None:
    torch.manual_seed(0)
    network = build(ImprovedUNetConfig(base=2, levels=1))
    average = AveragedNetwork(network, 0.9)
    assert not any(weights.requires_grad for weights in average.network.parameters())
    assert not average.network.training
    with torch.no_grad():
        network.load_state_dict({k: v + 1 for k, v in network.state_dict().items()})
    average.update(network)
    other = AveragedNetwork(network, 0.9)
    other.load_state_dict(average.state_dict())
    for each in (average, other):
        each.update(network)
    pairs = zip(
        average.network.state_dict().values(), other.network.state_dict().values(), strict=True
    )
    assert all(torch.equal(*pair) for pair in pairs)


def test_no_decay_is_no_average() -> None:
    network = build(ImprovedUNetConfig(base=2, levels=1))
    average = AveragedNetwork(network, 0)
    with torch.no_grad():
        next(network.parameters()).add_(1)
    average.update(network)
    assert torch.equal(next(average.network.parameters()), next(network.parameters()))
