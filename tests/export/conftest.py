"""A small model to export."""

import pytest
import torch

from diapir import bundle as bundles
from diapir import models
from diapir.architectures import ImprovedUNetConfig
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig

SIZE = 32


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A U-Net with batch norms that have seen something, and a decided opinion."""
    config = ImprovedUNetConfig(base=16, levels=2)
    torch.manual_seed(5)
    network = models.build(config)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        network.get_submodule("head").weight *= 30
    return bundles.save(
        tmp_path_factory.mktemp("source") / "best",
        {name: value.numpy() for name, value in network.state_dict().items()},
        name="small",
        model=config,
        preprocess=PreprocessConfig(size=SIZE, pad="edge"),
        threshold=0.4,
        metrics={"dice": 0.5},
    )
