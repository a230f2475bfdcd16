"""The one tiny recipe, tile set and model that tests train and predict with."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from diapir import bundle as bundles
from diapir import models
from diapir.architectures import ModelConfig, UNetConfig
from diapir.bundle import Bundle
from diapir.config import PreprocessConfig
from diapir.models import Network

SIZE = 30
"""Side of the tiles of `write_bright_salt` in pixels."""

TINY: dict[str, Any] = {
    "name": "tiny",
    "model": {"name": "unet", "base": 2, "levels": 2},
    "preprocess": {"size": 32},
    "data": {"val_fraction": 0.25},
    "train": {"batch": 4, "epochs": 3, "log_every": 2},
    "device": {"name": "cpu", "threads": 1},
    "track": {"trackers": [], "examples": 2},
}
"""A recipe that trains on `write_bright_salt` in about a second."""


def tiny_recipe(**sections: dict[str, Any]) -> str:
    """TINY as YAML, with other values of some keys: `tiny_recipe(train={"epochs": 1})`."""
    recipe = copy.deepcopy(TINY)
    for section, values in sections.items():
        recipe[section] |= values
    return yaml.safe_dump(recipe, sort_keys=False)


def write_bright_salt(folder: Path, count: int = 24) -> Path:
    """Tiles whose salt is a bright block on dark noise; every fourth has none."""
    rng = np.random.default_rng(7)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        image = rng.integers(0, 90, (SIZE, SIZE), dtype=np.uint8)
        mask = np.zeros((SIZE, SIZE), dtype=np.uint8)
        if number % 4:
            top = rng.integers(2, 12)
            mask[top : top + 12, 5 : 8 + number % 20] = 255
            image[mask > 0] += 150
        Image.fromarray(image).save(folder / "images" / f"tile{number:03d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"tile{number:03d}.png")
    return folder


def small_network(model: ModelConfig, seed: int = 5) -> Network:
    """An untrained network with the weights of a seed."""
    torch.manual_seed(seed)
    return models.build(model)


def small_bundle(
    folder: Path,
    model: ModelConfig | None = None,
    *,
    network: Network | None = None,
    size: int = 32,
    **info: Any,
) -> Bundle:
    """Save a model.

    Args:
        folder: of the bundle.
        model: the architecture; None for a U-Net of base 4 with 3 levels.
        network: its weights; None for random ones, always the same.
        size: of the network's input.
        info: further arguments of `bundle.save`.
    """
    model = UNetConfig(base=4, levels=3) if model is None else model
    network = small_network(model) if network is None else network
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    usual = {"name": "small", "preprocess": PreprocessConfig(size=size)}
    return bundles.save(folder, weights, model=model, **usual | info)
