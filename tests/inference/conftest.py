"""A small model, and engines whose answers can be worked out by hand."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diapir import bundle as bundles
from diapir import models
from diapir.architectures import UNetConfig
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig

SIZE = 32


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A U-Net with random weights and an input of 32 pixels."""
    config = UNetConfig(base=4, levels=3)
    torch.manual_seed(5)
    network = models.build(config)
    return bundles.save(
        tmp_path_factory.mktemp("model") / "best",
        {name: value.numpy() for name, value in network.state_dict().items()},
        name="small",
        model=config,
        preprocess=PreprocessConfig(size=SIZE),
    )


class BrightIsSalt:
    """A network that looks at one pixel: the logit of salt is its normalised grey value."""

    name = "bright"
    threads = 1

    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(batch.shape)
        return np.stack([np.zeros_like(batch[:, 0]), batch[:, 0]], axis=1)

    @staticmethod
    def probability(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What comes out for an image, with the first channel's mean and deviation."""
        return 1 / (1 + np.exp(-(image / 255 - 0.485) / 0.229))


@pytest.fixture
def bright() -> BrightIsSalt:
    return BrightIsSalt()
