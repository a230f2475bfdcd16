"""What every architecture promises. A new one inherits the tests:

class TestLinkNet(ModelContract):
    small = LinkNetConfig(encoder="resnet10t")
    published, parameters = LinkNetConfig(), 11_533_699
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, interpolate

from diapir import bundle as bundles
from diapir import models
from diapir.architectures import ModelConfig
from diapir.errors import ConfigError
from diapir.inference.engines.torch_engine import TorchEngine
from diapir.models import Network
from tests.helpers.tiny import small_bundle

NORMS_AND_DROPOUTS = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
RUNNING_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def seeded(config: ModelConfig, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return models.build(config)


def shapeless(config: ModelConfig) -> Network:
    """The network without values: it computes shapes only, at next to no cost."""
    with torch.device("meta"):
        return models.build(config)


def some_images(count: int, height: int, width: int) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def _loss(network: nn.Module, images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    targets = torch.randint(2, (count, height, width), generator=torch.Generator().manual_seed(2))
    torch.manual_seed(3)  # the same channels are dropped each time
    outputs = network(images, auxiliary=True)
    loss = cross_entropy(outputs.logits, targets)
    if outputs.salt is not None:
        loss = loss + binary_cross_entropy_with_logits(outputs.salt, torch.ones(count))
    for coarse in outputs.deep:
        loss = loss + cross_entropy(interpolate(coarse, size=(height, width)), targets)
    return loss


class ModelContract:
    small: ClassVar[ModelConfig]
    """A configuration that is quick to run."""
    published: ClassVar[ModelConfig]
    """The configuration whose number of parameters is known."""
    parameters: ClassVar[int]

    # shapes

    def test_logits_have_the_size_of_the_images_at_every_size(self) -> None:
        network = shapeless(self.published).eval()
        sizes = [size for size in range(64, 257) if size % network.divisor == 0]
        for height, width in [*zip(sizes, sizes, strict=True), (64, 256), (256, 64)]:
            logits = network(torch.empty(2, 3, height, width, device="meta"))
            assert logits.shape == (2, 2, height, width)
            assert logits.dtype == torch.float32

    @pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 192), (256, 128)])
    def test_logits_are_finite(self, height: int, width: int) -> None:
        network = seeded(self.small).eval()
        with torch.inference_mode():
            logits = network(some_images(1, height, width))
        assert logits.shape == (1, 2, height, width)
        assert logits.dtype == torch.float32
        assert logits.isfinite().all()
        assert logits.std() > 0

    def test_a_size_it_cannot_take_is_refused_with_one_it_can(self) -> None:
        network = shapeless(self.small)
        step = network.divisor
        fits = 64 // step * step
        models.check_size(network, fits)
        assert step > 1
        with pytest.raises(ConfigError) as caught:
            models.check_size(network, fits + 1)
        assert f"preprocess.size = {fits + 1} " in caught.value.found
        assert caught.value.fix == f"--set preprocess.size={fits + step}"
        with pytest.raises(ConfigError) as caught:
            network(torch.empty(1, 3, fits + 1, fits, device="meta"))
        assert caught.value.found == f"images are {fits + 1} × {fits} pixels"
        assert caught.value.fix == f"pad them to {fits + step} × {fits} pixels"
        with pytest.raises(ConfigError):
            network(torch.empty(1, 3, fits, fits - 1, device="meta"))
        with pytest.raises(ConfigError):
            network(torch.empty(1, 3, fits, 0, device="meta"))

    @pytest.mark.parametrize(
        ("shape", "hint"),
        [
            ((1, 1, 64, 64), "repeat the grey plane"),
            ((1, 4, 64, 64), "drop the alpha plane"),
            ((1, 2, 64, 64), "three normalised planes"),
            ((3, 64, 64), "three normalised planes"),
        ],
    )
    def test_images_of_other_channels_are_refused_with_a_hint(
        self, shape: tuple[int, ...], hint: str
    ) -> None:
        network = shapeless(self.small)
        with pytest.raises(ConfigError, match=hint) as caught:
            network(torch.empty(shape, device="meta"))
        assert str(shape) in caught.value.found

    def test_further_outputs_leave_the_logits_as_they_are(self) -> None:
        network = seeded(self.small).eval()
        images = some_images(2, 64, 128)
        with torch.inference_mode():
            outputs = network(images, auxiliary=True)
            assert outputs.logits.equal(network(images))
        assert outputs.salt is None or outputs.salt.shape == (2,)
        for coarse in outputs.deep:
            count, classes, height, width = coarse.shape
            assert (count, classes, width) == (2, 2, 2 * height)
            assert 64 % height == 0

    # training

    def test_every_parameter_gets_a_gradient(self) -> None:
        network = seeded(self.small).train()
        images = some_images(2, 64, 64)
        # a residual branch whose last norm starts at zero gets its gradient after a first step
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        _loss(network, images).backward()
        optimizer.step()
        optimizer.zero_grad()
        _loss(network, images).backward()
        without = [
            name
            for name, parameter in network.named_parameters()
            if parameter.grad is None or not parameter.grad.any()
        ]
        assert without == []

    def test_a_batch_of_one_trains(self) -> None:
        network = seeded(self.small).train()
        images = some_images(1, 64, 64)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
        losses = []
        for _ in range(6):  # the first steps of AdamW may overshoot
            loss = _loss(network, images)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]

    # training and evaluation mode

    def test_the_modes_differ_in_batch_norm_and_dropout_only(self) -> None:
        network = seeded(self.small)
        images = some_images(2, 64, 64)
        with torch.inference_mode():
            expected = network.eval()(images)
            network.train()
            for module in network.modules():
                if isinstance(module, NORMS_AND_DROPOUTS):
                    module.eval()
            torch.testing.assert_close(network(images), expected, rtol=0, atol=0)
            changing = any(isinstance(module, NORMS_AND_DROPOUTS) for module in network.modules())
            assert network.train()(images).equal(expected) is not changing

    def test_training_mode_changes_running_statistics_only(self) -> None:
        network = seeded(self.small).train()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        with torch.no_grad():
            network(some_images(2, 64, 64))
        for name, value in network.state_dict().items():
            moved = not value.equal(before[name])
            assert moved == name.endswith(RUNNING_STATISTICS), name

    def test_evaluation_gives_each_image_the_same_whenever_and_beside_whatever(self) -> None:
        network = seeded(self.small).eval()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        images = some_images(2, 64, 64)
        with torch.inference_mode():
            expected = network(images)
            torch.manual_seed(9)
            assert network(images).equal(expected)
            torch.testing.assert_close(network(images[1:]), expected[1:], rtol=1e-3, atol=1e-4)
        assert all(value.equal(before[name]) for name, value in network.state_dict().items())

    # weights

    def test_the_same_seed_gives_the_same_weights(self) -> None:
        first, again, other = (seeded(self.small, seed).state_dict() for seed in (7, 7, 8))
        assert all(first[name].equal(again[name]) for name in first)
        assert not any(
            first[name].equal(other[name])
            for name in first
            if first[name].ndim == 4  # convolutions; norms start alike
        )

    def test_a_bundle_gives_the_same_logits_back(self, tmp_path: Path) -> None:
        network = seeded(self.small).eval()
        saved = small_bundle(tmp_path / "model", self.small, network=network, size=64)
        engine = TorchEngine(bundles.load(saved.path), device="cpu")
        images = some_images(2, 64, 64)
        with torch.inference_mode():
            expected = network(images).numpy()
        np.testing.assert_array_equal(engine.logits(images.numpy()), expected)

    def test_the_published_size(self) -> None:
        assert models.parameter_count(shapeless(self.published)) == self.parameters

    def test_the_parts_of_the_encoder_are_all_of_it(self) -> None:
        network = shapeless(self.published)
        parts = [id(value) for part in network.encoder_parts for value in part.parameters()]
        assert len(parts) == len(set(parts))
        whole = network.encoder.parameters() if network.encoder_name else []
        assert set(parts) == {id(value) for value in whole}
