"""The flagship: what its switches change, and what its further outputs are."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from diapir import models
from diapir.architectures import HaliteConfig, UNetConfig
from diapir.config import load_recipe
from diapir.errors import ConfigError
from diapir.models import Outputs
from diapir.models.halite import Halite, ScSE
from tests.models.contract import ModelContract, seeded, shapeless, some_images

TINY = {"encoder": "test_efficientnet", "levels": 3, "widths": (6, 4)}


class TestHalite(ModelContract):
    small = HaliteConfig(encoder="test_resnet", widths=(8, 8, 6, 4))
    published, parameters = HaliteConfig(), 3_523_173


class TestHaliteWithTheOtherSwitches(ModelContract):
    small = HaliteConfig(**TINY, scse=False, hypercolumn=False, stem_stride=1, dropout=0.2)
    published, parameters = small, 41_913


class TestHaliteAtFullResolution(ModelContract):
    small = HaliteConfig(**TINY, finest=4)
    published, parameters = HaliteConfig(finest=16), 3_528_064


def _halite(**settings: object) -> Halite:
    network = seeded(HaliteConfig(**TINY | settings)).eval()
    assert isinstance(network, Halite)
    return network


def _outputs(network: Halite, images: Tensor) -> Outputs:
    with torch.inference_mode():
        outputs = network(images, auxiliary=True)
    assert isinstance(outputs, Outputs)
    return outputs


def test_training_starts_near_the_share_of_salt() -> None:
    outputs = _outputs(_halite(), some_images(4, 64, 64))
    for logits in (outputs.logits, *outputs.deep):
        assert logits.softmax(dim=1)[:, 1].mean() == pytest.approx(0.25, abs=0.01)


def test_the_further_outputs_are_of_the_coarser_maps_and_of_the_whole_tile() -> None:
    network = seeded(HaliteConfig(encoder="test_resnet", widths=(8, 8, 6, 4))).eval()
    assert isinstance(network, Halite)
    images = some_images(3, 64, 128)
    outputs = _outputs(network, images)
    assert [tuple(deep.shape) for deep in outputs.deep] == [
        (3, 2, 4, 8),
        (3, 2, 8, 16),
        (3, 2, 16, 32),
    ]
    assert outputs.salt is not None
    coarsest = network.features(images)[-1]
    torch.testing.assert_close(
        outputs.salt, network.salt(coarsest.flatten(2).mean(dim=2)).squeeze(1)
    )


def test_all_other_networks_have_no_further_outputs() -> None:
    with torch.device("meta"):
        network = models.build(UNetConfig(base=1))
        outputs = network(torch.empty(1, 3, 16, 16), auxiliary=True)
    assert (outputs.salt, outputs.deep) == (None, ())


def test_fewer_levels_are_a_shorter_encoder_and_a_smaller_divisor() -> None:
    whole, shorter = HaliteConfig(), HaliteConfig(levels=4, widths=(64, 48, 32))
    network, complete = shapeless(shorter), shapeless(whole)
    assert (network.divisor, complete.divisor) == (16, 32)
    assert network(torch.empty(1, 3, 112, 112, device="meta")).shape == (1, 2, 112, 112)
    kept = network.encoder.state_dict()
    assert kept.keys() < complete.encoder.state_dict().keys()
    stages = {name.split(".")[1] for name in kept if name.startswith("blocks.")}
    assert stages == {"0", "1", "2", "3", "4"}  # the last two are those of stride 32


def test_a_shorter_encoder_takes_the_weights_of_the_whole(tmp_path: Path) -> None:
    torch.manual_seed(5)
    learnt = timm.create_model("test_efficientnet").state_dict()
    save_file(learnt, tmp_path / "learnt.safetensors")
    config = HaliteConfig(**TINY, weights=str(tmp_path / "learnt.safetensors"))
    filled = models.build(config, pretrained=True).encoder.state_dict()
    assert 0 < len(filled) < len(learnt)
    assert all(value.equal(learnt[name]) for name, value in filled.items())


@pytest.mark.parametrize(("stem_stride", "divisor"), [(1, 4), (2, 8), (4, 16)])
def test_the_stem_decides_the_divisor_and_the_size_of_all_maps(
    stem_stride: int, divisor: int
) -> None:
    network = _halite(stem_stride=stem_stride)
    assert network.divisor == divisor
    outputs = _outputs(network, some_images(1, 48, 32))
    assert outputs.logits.shape == (1, 2, 48, 32)
    assert outputs.deep[0].shape == (1, 2, 96 // divisor, 64 // divisor)


@pytest.mark.parametrize("stem_stride", [2, 4])
def test_a_finest_block_ends_where_the_encoder_begins(stem_stride: int) -> None:
    network = _halite(stem_stride=stem_stride, finest=3)
    outputs = _outputs(network, some_images(1, 48, 32))
    assert outputs.logits.shape == (1, 2, 48, 32)
    assert [tuple(deep.shape[2:]) for deep in outputs.deep] == [
        (48 // (2 * stem_stride), 32 // (2 * stem_stride)),
        (48 // stem_stride, 32 // stem_stride),
    ]
    assert network.head.stride == stem_stride // 2


def test_a_finest_block_does_not_go_with_a_stem_of_full_resolution() -> None:
    with pytest.raises(ConfigError, match=r"finest must be null with a stem_stride of 1"):
        load_recipe("halite", ["model.finest=8", "model.stem_stride=1"])


def test_a_stem_of_four_sees_the_images_halved() -> None:
    images = some_images(2, 32, 64)
    four, two = _halite(stem_stride=4), _halite(stem_stride=2)
    expected = _outputs(two, avg_pool2d(images, 2))
    found = _outputs(four, images)
    assert found.deep[0].equal(expected.deep[0])
    assert found.salt is not None
    assert expected.salt is not None
    assert found.salt.equal(expected.salt)


def test_an_encoder_that_begins_otherwise_cannot_keep_its_resolution() -> None:
    with pytest.raises(ConfigError, match=r"first convolution has stride \(4, 4\)"):
        shapeless(HaliteConfig(encoder="convnext_atto", stem_stride=1))


def test_an_encoder_without_a_map_of_the_stem_has_no_skip_there() -> None:
    network = shapeless(HaliteConfig(encoder="convnext_atto"))
    assert network(torch.empty(1, 3, 64, 96, device="meta")).shape == (1, 2, 64, 96)


def test_the_head_sees_all_blocks_where_it_is_a_hypercolumn() -> None:
    maps = [
        torch.randn(2, width, 1, 1).expand(2, width, side, side)
        for width, side in ((8, 4), (6, 8), (4, 16))
    ]
    config = HaliteConfig(encoder="test_resnet", levels=4, widths=(8, 6, 4))
    head = seeded(config).eval().head
    # on constant maps every interpolation is the identity: what is left is one 1 × 1 convolution
    stacked = torch.cat([found[:, :, :1, :1] for found in maps], dim=1)
    kernel = torch.cat(
        [*(column[0].weight for column in head.columns), torch.eye(4)[..., None, None]], 1
    )
    kernel[:, :-4] /= (1 + head.columns[0][1].eps) ** 0.5  # of the batch norms before any training
    expected = head.predict(nn.functional.conv2d(stacked, kernel).relu())
    torch.testing.assert_close(head(maps), expected.expand(2, 2, 32, 32))


def test_without_a_hypercolumn_the_head_sees_the_finest_block_only() -> None:
    config = HaliteConfig(encoder="test_resnet", levels=4, widths=(8, 6, 4), hypercolumn=False)
    head = seeded(config).eval().head
    finest = torch.randn(2, 4, 16, 16)
    first, second = (
        head([torch.full((2, 8, 4, 4), value), torch.full((2, 6, 8, 8), value), finest])
        for value in (0.0, 9.0)
    )
    assert first.equal(second)
    assert not list(head.columns.parameters())


def test_scse_adds_what_channels_and_places_let_through() -> None:
    torch.manual_seed(0)
    layer = ScSE(6)
    features = torch.randn(2, 6, 5, 7)
    squeezed = features.mean(dim=(2, 3))
    reduce, expand = layer.channels[1], layer.channels[3]
    hidden = (squeezed @ reduce.weight[:, :, 0, 0].T + reduce.bias).relu()
    channels = (hidden @ expand.weight[:, :, 0, 0].T + expand.bias).sigmoid()
    place = layer.places[0]
    places = ((features * place.weight[0][None]).sum(1) + place.bias).sigmoid()
    expected = features * channels[:, :, None, None] + features * places[:, None]
    torch.testing.assert_close(layer(features), expected)


@pytest.mark.parametrize("scse", [True, False])
def test_scse_can_be_left_out(scse: bool) -> None:
    found = [module for module in _halite(scse=scse).modules() if isinstance(module, ScSE)]
    assert len(found) == (2 if scse else 0)


def test_dropout_comes_before_the_head_and_in_training_only() -> None:
    network = _halite(dropout=0.5)
    images = some_images(1, 32, 32)
    expected = _outputs(network, images)
    network.head.dropout.train()
    torch.manual_seed(0)
    found = _outputs(network, images)
    assert not found.logits.equal(expected.logits)
    assert found.deep[0].equal(expected.deep[0])
