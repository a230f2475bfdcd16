"""Encoders are timm's by name; those that cannot serve are refused with what could."""

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from diapir import models
from diapir.architectures import (
    DeepLabV3PlusConfig,
    EncoderConfig,
    LinkNetConfig,
    PSPNetConfig,
    ResNetUNetConfig,
)
from diapir.errors import ConfigError
from diapir.models.encoders import EncoderDecoder, SameConv2d
from diapir.models.network import PooledBatchNorm2d
from tests.models.contract import shapeless

ON_ENCODERS = (ResNetUNetConfig, LinkNetConfig, DeepLabV3PlusConfig, PSPNetConfig)
LITE0 = "tf_efficientnet_lite0"


@pytest.mark.parametrize("architecture", ON_ENCODERS)
@pytest.mark.parametrize("encoder", [LITE0, "resnet34", "mobilenetv3_large_100", "convnext_atto"])
def test_every_architecture_takes_encoders_of_other_families(
    architecture: type[EncoderConfig], encoder: str
) -> None:
    network = shapeless(architecture(encoder=encoder)).eval()
    step = network.divisor
    for height, width in ((2 * step, 3 * step), (128, 128)):
        logits = network(torch.empty(2, 3, height, width, device="meta"))
        assert logits.shape == (2, 2, height, width)
    parts = [id(value) for part in network.encoder_parts for value in part.parameters()]
    assert isinstance(network, EncoderDecoder)
    assert sorted(parts) == sorted(id(value) for value in network.encoder.parameters())
    assert len(network.encoder_parts) in {4, 5}


@pytest.mark.parametrize(
    ("architecture", "millions", "divisor"),
    [
        (ResNetUNetConfig, 5.198, 32),
        (LinkNetConfig, 3.117, 32),
        (DeepLabV3PlusConfig, 3.859, 16),
        (PSPNetConfig, 3.523, 8),
    ],
)
def test_efficientnet_lite0_trains_under_every_architecture(
    architecture: type[EncoderConfig], millions: float, divisor: int
) -> None:
    torch.manual_seed(0)
    network = models.build(architecture(encoder=LITE0)).train()
    assert round(models.parameter_count(network) / 1e6, 3) == millions
    assert network.divisor == divisor
    images = torch.randn(1, 3, 64, 64)
    network(images).square().mean().backward()
    assert all(value.grad is not None and value.grad.any() for value in network.parameters())


@pytest.mark.parametrize(
    ("encoder", "millions"), [("resnet18", 14.328), ("resnet34", 24.437), ("resnet50", 32.521)]
)
def test_resnet_unet_takes_the_resnets_of_the_paper(encoder: str, millions: float) -> None:
    network = shapeless(ResNetUNetConfig(encoder=encoder))
    assert round(models.parameter_count(network) / 1e6, 3) == millions


@pytest.mark.parametrize(("architecture", "stride"), [(DeepLabV3PlusConfig, 16), (PSPNetConfig, 8)])
@pytest.mark.parametrize("encoder", ["resnet50", LITE0])
def test_the_last_stages_are_dilated_and_not_strided(
    architecture: type[EncoderConfig], stride: int, encoder: str
) -> None:
    network = shapeless(architecture(encoder=encoder)).eval()
    assert isinstance(network, EncoderDecoder)
    maps = network.features(torch.empty(1, 3, 128, 128, device="meta"))
    assert [128 // one.shape[-1] for one in maps] == [min(2**level, stride) for level in range(6)]
    dilations = {layer.dilation for layer in network.modules() if isinstance(layer, nn.Conv2d)}
    assert (32 // stride, 32 // stride) in dilations


def test_pspnet_has_the_shapes_of_its_paper() -> None:
    network = shapeless(PSPNetConfig())
    assert isinstance(network, EncoderDecoder)
    branches = [branch[1].weight.shape for branch in network.decoder.branches]
    assert branches == [(512, 2048, 1, 1)] * 4  # a quarter of the encoder's channels for each bin
    assert network.head[0].weight.shape == (512, 4096, 3, 3)
    assert [branch[0].output_size for branch in network.decoder.branches] == [1, 2, 3, 6]


@pytest.mark.parametrize("architecture", [DeepLabV3PlusConfig, PSPNetConfig])
def test_only_what_pools_the_whole_image_may_meet_one_value(
    architecture: type[EncoderConfig],
) -> None:
    network = models.build(architecture(encoder="test_resnet")).train()
    (pooled,) = (layer for layer in network.modules() if isinstance(layer, PooledBatchNorm2d))
    before = pooled.running_mean.clone()
    network(torch.randn(1, 3, 64, 64))
    assert pooled.running_mean.equal(before)  # one value has no statistics
    network(torch.randn(2, 3, 64, 64))
    assert not pooled.running_mean.equal(before)


@pytest.mark.parametrize(
    ("encoder", "found", "fix"),
    [
        ("resnet19", r"no model\.encoder = 'resnet19' \(did you mean resnet18", "list them"),
        ("tf_efficientnet_light0", "did you mean tf_efficientnet_lite0", "list them"),
        ("hf-hub:someone/something", "timm .* has no", "list them"),
        ("resnet18.no_such", "has no weights 'no_such' for resnet18", "model.encoder=resnet18"),
        ("vit_tiny_patch16_224", "images of 224 × 224 pixels only", "model.encoder=resnet50"),
        ("inception_v3", "it does not return feature maps", "model.encoder=resnet50"),
    ],
)
def test_an_encoder_that_cannot_serve_is_refused(encoder: str, found: str, fix: str) -> None:
    with pytest.raises(ConfigError, match=found) as caught:
        shapeless(LinkNetConfig(encoder=encoder))
    assert fix in caught.value.fix


def test_unknown_weights_of_an_encoder_name_the_known() -> None:
    with pytest.raises(ConfigError) as caught:
        shapeless(LinkNetConfig(encoder="resnet18.no_such"))
    assert "resnet18.a1_in1k" in caught.value.expected


@pytest.mark.parametrize("architecture", [DeepLabV3PlusConfig, PSPNetConfig])
@pytest.mark.parametrize("encoder", ["vgg11", "densenet121"])
def test_an_encoder_that_cannot_be_dilated_is_refused(
    architecture: type[EncoderConfig], encoder: str
) -> None:
    shapeless(LinkNetConfig(encoder=encoder))  # which needs no dilation
    with pytest.raises(ConfigError, match="it does not return feature maps") as caught:
        shapeless(architecture(encoder=encoder))
    assert "for deeplabv3plus and pspnet also dilated" in caught.value.expected


def test_an_encoder_whose_maps_have_other_sizes_than_it_says_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import timm.models.resnet

    honest = timm.models.resnet.ResNet.__init__

    def without_padding(self: nn.Module, *args: object, **kwargs: object) -> None:
        honest(self, *args, **kwargs)
        self.maxpool = nn.MaxPool2d(3, 2)

    monkeypatch.setattr(timm.models.resnet.ResNet, "__init__", without_padding)
    with pytest.raises(ConfigError, match=r"strides \[.*\] instead of \[1, 2, 4, 8, 16, 32\]"):
        models.build(LinkNetConfig(encoder="resnet10t"))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 4])
def test_padding_by_rule_is_tensorflows_on_even_maps(kernel: int, stride: int, groups: int) -> None:
    torch.manual_seed(0)
    timms = Conv2dSame(4, 8, kernel, stride=stride, groups=groups, bias=groups == 1)
    ours = SameConv2d(timms)
    assert ours.state_dict().keys() == timms.state_dict().keys()
    for height, width in ((2, 4), (8, 6), (32, 64)):
        features = torch.randn(2, 4, height, width)
        torch.testing.assert_close(ours(features), timms(features))


def test_no_padding_is_computed_from_the_size_of_the_images() -> None:
    network = shapeless(ResNetUNetConfig(encoder=LITE0))
    assert not any(isinstance(module, Conv2dSame) for module in network.modules())
    same = [module for module in network.modules() if isinstance(module, SameConv2d)]
    # the stem and four stages, and the twelve depthwise convolutions of stride 1
    assert [module.stride for module in same].count((2, 2)) == 5
    assert len(same) == 17
