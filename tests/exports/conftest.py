"""A small model to export."""

import pytest
import torch

from diapir.architectures import ImprovedUNetConfig
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from tests.helpers.tiny import small_bundle, small_network

SIZE = 32


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A U-Net with batch norms that have seen something, and a decided opinion."""
    config = ImprovedUNetConfig(base=16, levels=2)
    network = small_network(config)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        network.get_submodule("head").weight *= 30
    return small_bundle(
        tmp_path_factory.mktemp("source") / "best",
        config,
        network=network,
        preprocess=PreprocessConfig(size=SIZE, pad="edge"),
        threshold=0.4,
        metrics={"dice": 0.5},
    )
