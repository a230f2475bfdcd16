"""Validation between epochs gives the scores of an evaluation."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from diapir.config import RunConfig
from diapir.evaluation import evaluate
from diapir.tiles import load_tiles
from diapir.training.device import open_device
from diapir.training.validation import predict, validate


class Brightness(nn.Module):
    """Predicts salt where the first channel is above its mean on ImageNet."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([torch.zeros_like(images[:, 0]), images[:, 0]], dim=1)


@pytest.mark.parametrize("chosen", [slice(0, 24), slice(0, 24, 4), slice(1, 2)])
def test_scores_are_those_of_an_evaluation(
    bright_salt: Path, tiny: Callable[..., RunConfig], chosen: slice
) -> None:
    tiles = load_tiles(bright_salt)
    tiles = tiles.select(sorted(tiles.ids)[chosen])
    config = tiny()
    device = open_device(config.device)
    found = validate(Brightness(), tiles, config, device, lambda done, total: None)
    probabilities = predict(Brightness(), tiles, config, device)
    expected = evaluate(tiles, list(probabilities), resamples=0).metrics
    assert found.kaggle_map == expected["kaggle_map"]
    assert found.soft_dice == pytest.approx(expected["soft_dice"], abs=1e-6)
    if any(tiles.mask(index).any() for index in range(len(tiles))):
        assert found.dice == pytest.approx(expected["dice"])
        assert found.iou == pytest.approx(expected["iou"])


def test_tiles_without_a_valid_pixel_have_no_kaggle_score(
    tmp_path: Path, tiny: Callable[..., RunConfig]
) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for name, value in (("a", 1), ("ignored", 255)):
        mask = np.full((30, 30), value, np.uint8)
        mask[:10] = 0 if value == 1 else 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / "images" / f"{name}.png")
    tiles = load_tiles(tmp_path, encoding="index").select(["ignored"])
    config = tiny()
    device = open_device(config.device)
    found = validate(Brightness(), tiles, config, device, lambda done, total: None)
    assert math.isnan(found.kaggle_map)
