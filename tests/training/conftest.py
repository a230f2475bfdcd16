"""A tiny labelled set that a tiny network can learn, and runs on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.config import RunConfig, parse_config

SIZE = 30
TINY = {
    "name": "tiny",
    "model": {"name": "unet", "base": 2, "levels": 2},
    "preprocess": {"size": 32},
    "data": {"val_fraction": 0.25},
    "train": {"batch": 4, "epochs": 3, "log_every": 2},
    "device": {"name": "cpu", "threads": 1},
    "track": {"trackers": [], "examples": 2},
}


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


@pytest.fixture(scope="session")
def bright_salt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bright_salt(tmp_path_factory.mktemp("tiles") / "bright")


@pytest.fixture
def tiny() -> Callable[..., RunConfig]:
    """The tiny recipe, with `section.key=value` overrides."""

    def make(*overrides: str) -> RunConfig:
        return parse_config(TINY, source="tiny", overrides=overrides)

    return make
