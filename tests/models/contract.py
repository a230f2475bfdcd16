"""What every architecture promises. A new one inherits the tests:

class TestLinkNet(ModelContract):
    small = LinkNetConfig(width=4)
    published, parameters = LinkNetConfig(), 11_533_699
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from diapir import bundle as bundles
from diapir import models
from diapir.architectures import ModelConfig
from diapir.config import PreprocessConfig
from diapir.errors import ConfigError
from diapir.inference.torch_engine import TorchEngine


def _seeded(config: ModelConfig, seed: int = 0) -> models.Network:
    torch.manual_seed(seed)
    return models.build(config)


def _images(count: int, height: int, width: int) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def _loss(network: nn.Module, images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    targets = torch.randint(2, (count, height, width), generator=torch.Generator().manual_seed(2))
    return cross_entropy(network(images), targets)


class ModelContract:
    small: ClassVar[ModelConfig]
    """A configuration that is quick to run."""
    published: ClassVar[ModelConfig]
    """The configuration whose number of parameters is known."""
    parameters: ClassVar[int]

    @pytest.mark.parametrize(("down", "across"), [(1, 1), (2, 2), (2, 3), (5, 1)])
    def test_logits_have_the_size_of_the_images(self, down: int, across: int) -> None:
        network = _seeded(self.small).eval()
        step = network.divisor
        with torch.no_grad():
            logits = network(_images(2, down * step, across * step))
        assert logits.shape == (2, 2, down * step, across * step)
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()

    def test_a_size_it_cannot_take_is_refused_with_one_it_can(self) -> None:
        network = _seeded(self.small)
        step = network.divisor
        models.check_size(network, 3 * step)
        if step == 1:
            return
        with pytest.raises(ConfigError) as caught:
            models.check_size(network, 3 * step + 1)
        assert f"preprocess.size = {3 * step + 1} " in caught.value.found
        assert caught.value.mend == f"--set preprocess.size={4 * step}"

    def test_every_parameter_gets_a_gradient(self) -> None:
        network = _seeded(self.small).train()
        step = network.divisor
        _loss(network, _images(2, 2 * step, 2 * step)).backward()
        without = [
            name
            for name, parameter in network.named_parameters()
            if parameter.grad is None or not parameter.grad.any()
        ]
        assert without == []

    def test_a_batch_of_one_trains(self) -> None:
        network = _seeded(self.small).train()
        step = network.divisor
        images = _images(1, 2 * step, 2 * step)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        before = _loss(network, images)
        before.backward()
        optimizer.step()
        after = _loss(network, images)
        assert after.isfinite()
        assert after < before

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, again, other = (_seeded(self.small, seed).state_dict() for seed in (7, 7, 8))
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)

    def test_a_bundle_gives_the_same_logits_back(self, tmp_path: Path) -> None:
        network = _seeded(self.small).eval()
        step = network.divisor
        size = step * -(-16 // step)
        saved = bundles.save(
            tmp_path / "model",
            {name: value.numpy() for name, value in network.state_dict().items()},
            name="contract",
            model=self.small,
            preprocess=PreprocessConfig(size=size),
        )
        engine = TorchEngine(bundles.load(saved.path), device="cpu")
        images = _images(2, size, size)
        with torch.inference_mode():
            expected = network(images).numpy()
        np.testing.assert_array_equal(engine.logits(images.numpy()), expected)

    def test_the_published_size(self) -> None:
        with torch.device("meta"):  # shapes without values
            assert models.parameter_count(models.build(self.published)) == self.parameters

    def test_the_registry_knows_it(self) -> None:
        assert self.small.name in models.REGISTRY
