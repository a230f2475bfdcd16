"""Weights of several trainings as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from diapir import bundle as bundles
from diapir import models, preprocess
from diapir.architectures import ImprovedUNetConfig, ModelConfig, UNetConfig
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from diapir.errors import ConfigError
from diapir.tiles import TileSet, load_tiles
from diapir.training.average import average_weights, measure_statistics
from tests.helpers.tile_sets import write_tiles

NORMED = ImprovedUNetConfig(base=4, levels=2, attention=False)


def saved(folder: Path, seed: int, model: ModelConfig = NORMED, **info: Any) -> Bundle:
    torch.manual_seed(seed)
    network = models.build(model)
    for name, buffer in network.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer.fill_(10 * seed)
    return bundles.save(
        folder / f"model{seed}",
        {name: value.numpy() for name, value in network.state_dict().items()},
        name="small",
        model=model,
        preprocess=info.pop("preprocess", PreprocessConfig(size=32)),
    )


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    return load_tiles(write_tiles(tmp_path / "tiles", count=10, size=(21, 19)), labelled=False)


def test_each_tensor_is_the_mean(tmp_path: Path) -> None:
    members = [saved(tmp_path, seed) for seed in (1, 2, 4)]
    mean = average_weights(members)
    tensors = [member.tensors() for member in members]
    assert mean.keys() == tensors[0].keys()
    for name, value in mean.items():
        of_all = [member[name] for member in tensors]
        assert (value.dtype, value.shape) == (of_all[0].dtype, of_all[0].shape)
        if value.dtype == np.float32:
            np.testing.assert_allclose(value, np.mean(of_all, axis=0), atol=1e-6)
        else:
            assert value == 40


def test_only_like_models_are_averaged(tmp_path: Path) -> None:
    one = saved(tmp_path, 1)
    wider = saved(tmp_path, 2, ImprovedUNetConfig(base=6, levels=2, attention=False))
    larger = saved(tmp_path, 3, preprocess=PreprocessConfig(size=64))
    for other, what in ((wider, "model"), (larger, "preprocess")):
        with pytest.raises(ConfigError, match=f"differ in {what}"):
            average_weights([one, other])
    with pytest.raises(ConfigError, match="1 model to average"):
        average_weights([one])


def test_batch_norm_is_measured_on_the_tiles(tmp_path: Path, tiles: TileSet) -> None:
    bundle = saved(tmp_path, 1)
    tensors = measure_statistics(bundle.info, bundle.tensors(), tiles, device="cpu", batch=10)
    network = models.build(NORMED)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    seen: dict[str, torch.Tensor] = {}
    first = next(
        (name, layer)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.BatchNorm2d)
    )
    first[1].register_forward_pre_hook(lambda layer, given: seen.update(found=given[0]))
    images = np.stack([tiles.image(index) for index in range(len(tiles))])
    with torch.inference_mode():
        network.eval()(torch.from_numpy(preprocess.to_input(images, bundle.info.preprocess)))
    found = seen["found"]
    np.testing.assert_allclose(
        tensors[f"{first[0]}.running_mean"], found.mean((0, 2, 3)), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        tensors[f"{first[0]}.running_var"], found.var((0, 2, 3)), rtol=1e-3, atol=1e-5
    )
    trained = bundle.tensors()
    for name, value in tensors.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            np.testing.assert_array_equal(value, trained[name])


def test_without_batch_norm_nothing_is_measured(tmp_path: Path, tiles: TileSet) -> None:
    bundle = saved(tmp_path, 1, UNetConfig(base=4, levels=2))
    tensors = bundle.tensors()
    seen: list[int] = []
    found = measure_statistics(
        bundle.info, tensors, tiles, device="cpu", progress=lambda done, total: seen.append(done)
    )
    assert seen == []
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)
