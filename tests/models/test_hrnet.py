import pytest
import timm
import torch

from diapir.architectures import HRNetConfig
from diapir.errors import ConfigError
from tests.models.contract import ModelContract, seeded, shapeless, some_images


class TestHRNet(ModelContract):
    small = HRNetConfig(encoder="hrnet_w18_small")
    published, parameters = HRNetConfig(), 65_846_402


def test_all_four_resolutions_are_in_the_head() -> None:
    network = shapeless(HRNetConfig())
    assert network.head[0].in_channels == 48 + 96 + 192 + 384


def test_the_branches_are_those_before_the_classifiers_head() -> None:
    network = seeded(TestHRNet.small).eval()
    classifier = timm.create_model("hrnet_w18_small").eval()
    faults = classifier.load_state_dict(network.encoder.state_dict(), strict=False)
    assert not faults.unexpected_keys
    assert {key.partition(".")[0] for key in faults.missing_keys} == {
        *("incre_modules", "downsamp_modules", "final_layer", "classifier")
    }
    seen = []
    for widening in classifier.incre_modules:
        widening.register_forward_pre_hook(lambda module, given: seen.append(given[0].clone()))
    images = some_images(1, 64, 64)
    with torch.inference_mode():
        classifier(images)
        branches = network.encoder(images)
    assert [branch.shape[2] for branch in branches] == [16, 8, 4, 2]
    for branch, expected in zip(branches, seen, strict=True):
        assert branch.equal(expected)


def test_an_encoder_that_is_no_hrnet_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'resnet18' is not one of timm's HRNets") as caught:
        shapeless(HRNetConfig(encoder="resnet18"))
    assert "hrnet_w18" in caught.value.expected
