"""The table of architectures, and what building one loads."""

import subprocess
import sys

import pytest
import timm
import torch

from diapir import models
from diapir.architectures import ARCHITECTURES


def test_every_architecture_with_settings_is_registered_in_the_same_order() -> None:
    assert list(models.REGISTRY) == list(ARCHITECTURES)


def test_every_architecture_has_a_title_of_its_own() -> None:
    titles = [section.title for section in ARCHITECTURES.values()]
    assert all(titles)
    assert len(set(titles)) == len(ARCHITECTURES)


@pytest.mark.parametrize("name", models.REGISTRY)
def test_every_entry_names_its_class_and_paper(name: str) -> None:
    entry = models.REGISTRY[name]
    assert issubclass(entry.load(), models.Network)
    assert entry.paper[-4:].isdigit()
    assert entry.link.startswith("https://arxiv.org/abs/")


def test_the_plain_unet_loads_none_of_the_other_libraries() -> None:
    program = (
        "import sys\n"
        "from diapir import models\n"
        "from diapir.architectures import UNetConfig\n"
        "models.build(UNetConfig(base=1))\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "diapir.models.unet" in loaded  # the list was read
    assert loaded.isdisjoint({"timm", "torchvision", "segmentation_models_pytorch"})


@pytest.mark.parametrize("name", ["deeplabv3", "fcn", "segnet", "hrnet"])
def test_the_encoder_has_the_tensors_of_timms_classifier(name: str) -> None:
    with torch.device("meta"):
        network = models.build(ARCHITECTURES[name]())
        classifier = timm.create_model(network.encoder_name).state_dict()
    encoder = network.encoder.state_dict()
    assert len(encoder) > 50
    assert {key: value.shape for key, value in encoder.items()}.items() <= {
        key: value.shape for key, value in classifier.items()
    }.items()
