import pytest

from diapir.architectures import FCNConfig, UNetConfig, published
from diapir.errors import ConfigError
from diapir.models import REGISTRY
from diapir.models.cost import SIZE, Cost, cost, table_row


def _convolution(kernel: int, before: int, after: int, size: int) -> int:
    """Multiply-adds of a convolution whose output is `size` pixels wide and high."""
    return kernel**2 * before * after * size**2


def test_the_unet_costs_what_one_counts_by_hand() -> None:
    widths, sizes = [64, 128, 256, 512, 1024], [128, 64, 32, 16, 8]
    expected = 0
    for before, width, size in zip([3, *widths], widths, sizes, strict=False):
        expected += _convolution(3, before, width, size) + _convolution(3, width, width, size)
    for below, width, size in zip(widths[1:], widths, sizes, strict=False):
        expected += _convolution(1, below, width, size)  # upwards, each pixel has one of 2 × 2 taps
        expected += _convolution(3, 2 * width, width, size) + _convolution(3, width, width, size)
    expected += _convolution(1, 64, 2, 128)
    assert cost(UNetConfig(), size=128) == Cost(31_031_810, expected, 16, None)
    assert expected == 12_042_895_360


def test_it_grows_with_the_area() -> None:
    small, large = (cost(UNetConfig(base=8), size=size) for size in (64, 192))
    assert large.multiply_adds == 9 * small.multiply_adds
    with pytest.raises(ConfigError, match="100 × 100"):
        cost(UNetConfig(), size=100)


def test_the_name_of_an_encoder_has_no_tag() -> None:
    assert cost(FCNConfig(), size=64).encoder == "resnet50"


@pytest.mark.parametrize("name", REGISTRY)
def test_the_table_of_architectures_has_what_the_networks_cost(name: str) -> None:
    kept = {row["name"]: row for row in published()["models"]}
    assert kept[name] == table_row(name), "run: python docs/make_models.py"
    assert 1e6 < kept[name]["parameters"] < 1e8
    assert 1e8 < kept[name]["multiply_adds"] < 2e10
    assert 128 % kept[name]["divisor"] == 0


def test_the_table_has_every_architecture_once() -> None:
    assert [row["name"] for row in published()["models"]] == list(REGISTRY)
    assert published()["size"] == SIZE
