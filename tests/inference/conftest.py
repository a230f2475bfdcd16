"""A small model, and engines whose answers can be worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from diapir.bundle import Bundle
from tests.helpers.tiny import small_bundle

SIZE = 32


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A U-Net with random weights and an input of 32 pixels."""
    return small_bundle(tmp_path_factory.mktemp("model") / "best", size=SIZE)


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
