import torch

from diapir import models
from diapir.architectures import UNetConfig
from diapir.config import load_recipe
from tests.models.contract import ModelContract


class TestUNet(ModelContract):
    small = UNetConfig(base=4)
    published, parameters = UNetConfig(base=64), 31_031_810


def test_the_baseline_is_the_published_size() -> None:
    assert load_recipe("baseline").model == TestUNet.published


def test_levels_set_the_divisor() -> None:
    assert models.build(UNetConfig(base=1, levels=2)).divisor == 4


def test_an_untrained_network_is_undecided() -> None:
    torch.manual_seed(0)
    network = models.build(UNetConfig(base=8))
    with torch.no_grad():
        probability = network(torch.randn(2, 3, 64, 64)).softmax(dim=1)[:, 1]
    assert probability.mean().sub(0.5).abs() < 0.05  # cross entropy starts near log 2
