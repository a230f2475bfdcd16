from typing import Any

import pytest
import torch
from torch import nn

from diapir import models
from diapir.architectures import ImprovedUNetConfig, UNetConfig
from diapir.config import load_recipe
from diapir.models.improved_unet import SpatialAttention
from tests.models.contract import ModelContract, seeded, shapeless, some_images

OFF: dict[str, Any] = {
    "batch_norm": False,
    "dropout": 0.0,
    "activation": "relu",
    "attention": False,
}
SWITCHES: dict[str, dict[str, Any]] = {
    "batch_norm": {"batch_norm": True},
    "dropout": {"dropout": 0.2},
    "leaky_relu": {"activation": "leaky_relu"},
    "attention": {"attention": True},
}


class TestImprovedUNet(ModelContract):
    small = ImprovedUNetConfig(base=4)
    published, parameters = ImprovedUNetConfig(), 31_038_094


class TestPlain(ModelContract):
    small = ImprovedUNetConfig(base=4, **OFF)
    published, parameters = ImprovedUNetConfig(**OFF), 31_031_810


def _count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def test_with_all_switches_off_it_is_the_plain_unet() -> None:
    plain = seeded(UNetConfig(base=4))
    ours = seeded(ImprovedUNetConfig(base=4, **OFF))
    for weights, expected in zip(ours.parameters(), plain.parameters(), strict=True):
        assert weights.equal(expected)
    images = some_images(2, 64, 64)
    logits, expected = ours(images), plain(images)
    assert logits.equal(expected)
    for network, made in ((ours, logits), (plain, expected)):
        made.square().mean().backward()
        torch.optim.SGD(network.parameters(), lr=1.0).step()
    assert ours(images).equal(plain(images))


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_switch_turns_on_one_thing(switch: str) -> None:
    network = shapeless(ImprovedUNetConfig(base=8, **OFF | SWITCHES[switch]))
    assert _count(network, nn.BatchNorm2d) == (18 if switch == "batch_norm" else 0)
    assert _count(network, nn.Dropout2d) == (9 if switch == "dropout" else 0)
    assert _count(network, nn.LeakyReLU) == (18 if switch == "leaky_relu" else 0)
    assert _count(network, nn.ReLU) == (0 if switch == "leaky_relu" else 18)
    assert _count(network, SpatialAttention) == (4 if switch == "attention" else 0)
    plain = models.parameter_count(shapeless(ImprovedUNetConfig(base=8, **OFF)))
    widths = 2 * sum(8 * 2**level for level in (0, 1, 2, 3, 4, 3, 2, 1, 0))
    added = {"batch_norm": widths, "attention": 4 * (2 * 7 * 7 + 1)}  # a norm's two for one bias
    assert models.parameter_count(network) - plain == added.get(switch, 0)


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_recipes_of_the_improvement_study_turn_on_one_switch_each(switch: str) -> None:
    assert load_recipe(f"ablation/{switch}").model == ImprovedUNetConfig(**OFF | SWITCHES[switch])


def test_the_recipes_of_the_improvement_study_begin_with_none_and_end_with_all() -> None:
    assert load_recipe("ablation/plain").model == ImprovedUNetConfig(**OFF)
    everything = {key: value for switch in SWITCHES.values() for key, value in switch.items()}
    assert load_recipe("ablation/all").model == ImprovedUNetConfig(**everything)
    assert load_recipe("improved_unet").model == ImprovedUNetConfig() == TestImprovedUNet.published


def test_the_decoder_drops_half_as_many_channels() -> None:
    network = shapeless(ImprovedUNetConfig(base=4, dropout=0.3))

    def shares(part: nn.Module) -> list[float]:
        return [module.p for module in part.modules() if isinstance(module, nn.Dropout2d)]

    assert shares(network.encoder) == [0.3] * 4
    assert shares(network.bottleneck) == [0.3]
    assert shares(network.decoder) == [0.15] * 4


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "silu"])
def test_he_weights_keep_the_signal_as_large_as_it_was(activation: str) -> None:
    network = seeded(ImprovedUNetConfig(base=16, **OFF | {"activation": activation}))
    convolution, function = network.decoder[0][:2]
    # the mean of f(z)² over z ~ N(0, 1), by quadrature
    z = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5
    kept = torch.trapezoid(function(z.clone()).square() * density, z)
    weights = convolution.weight.detach()
    assert float(weights.var() * weights[0].numel() * kept) == pytest.approx(1, rel=0.01)


def test_attention_weighs_pixels_by_the_mean_and_the_maximum_of_their_channels() -> None:
    attention = SpatialAttention()
    features = torch.randn(2, 5, 9, 9)
    weights, bias = torch.zeros(1, 2, 7, 7), torch.tensor([0.5])
    weights[0, 0, 3, 3], weights[0, 1, 3, 3] = 2.0, -1.0
    attention.load_state_dict({"weigh.weight": weights, "weigh.bias": bias})
    mean, largest = features.mean(1, keepdim=True), features.max(1, keepdim=True).values
    expected = features * torch.sigmoid(2 * mean - largest + 0.5)
    torch.testing.assert_close(attention(features), expected)


def test_skips_that_attention_shuts_do_not_reach_the_decoder() -> None:
    network = seeded(ImprovedUNetConfig(base=4, **OFF | {"attention": True})).eval()
    images = some_images(1, 64, 64)
    with torch.no_grad():
        for gate in network.attention:
            gate.weigh.weight.zero_()
            gate.weigh.bias.fill_(-200.0)  # the sigmoid of this is 0
        shut = network(images)
        for gate, block in zip(network.attention, network.decoder, strict=True):
            gate.weigh.bias.fill_(200.0)
            skip = block[0].in_channels // 2  # the attended skip comes first, then what came up
            block[0].weight[:, :skip] = 0
        torch.testing.assert_close(network(images), shut)
