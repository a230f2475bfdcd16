"""The small inputs that killed commands work on, each in a folder of the command's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from diapir import bundle as bundles
from diapir.architectures import UNetConfig
from tests.adaptation.made_pictures import write_pictures
from tests.helpers.segy import write_segy
from tests.helpers.tile_sets import write_tiles
from tests.helpers.tiny import small_bundle, small_network, tiny_recipe, write_bright_salt
from tests.surveys.made import onnx_bundle, volume
from tests.tiles.mosaic.sections import SIDE, make_section

TRAINED = ("--data", "tiles", "--set", "device.threads=1")
OUT = "out"
"""Folder below which operations count, and what is compared."""


def run(folder: Path, *words: str) -> None:
    """Run a command to make an input."""
    line = [sys.executable, "-m", "diapir", *words]
    subprocess.run(line, cwd=folder, check=True, capture_output=True)


def recipes(folder: Path) -> None:
    """Two recipes and their tiles."""
    write_bright_salt(folder / "tiles", 12)
    (folder / "tiny.yaml").write_text(tiny_recipe(train={"epochs": 2}))
    (folder / "other.yaml").write_text(tiny_recipe(train={"epochs": 1, "batch": 3}))


def model(folder: Path) -> None:
    """A model for ONNX Runtime."""
    made = onnx_bundle(folder / "made", size=16)
    shutil.move(made, folder / "model")
    shutil.rmtree(folder / "made")


def survey(folder: Path) -> None:
    """A volume and a model."""
    model(folder)
    write_segy(folder / "vol.sgy", volume((12, 20, 24)))


def store(folder: Path) -> None:
    """The same, predicted as the volume is to be used."""
    survey(folder)
    words = ("--out", OUT, "--block", "8", "--formats", "none")
    run(folder, "predict", "model", "vol.sgy", *words)


def with_products(folder: Path) -> None:
    """The same with earlier products, and a file of somebody else's among them."""
    store(folder)
    run(folder, "products", OUT, "--threshold", "0.7")
    (folder / OUT / "vol.products" / "notes.txt").write_text("theirs")


def line(folder: Path) -> None:
    """A 2D line and a model."""
    model(folder)
    write_segy(folder / "line.sgy", volume((1, 40, 24))[0], inlines=None)


def images(folder: Path) -> None:
    """Three images and a model."""
    model(folder)
    (folder / "images").mkdir()
    noise = np.random.default_rng(1)
    for number in range(3):
        image = noise.integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(image).save(folder / "images" / f"a{number}.png")


def predicted_images(folder: Path) -> None:
    """The same with an earlier prediction of another threshold."""
    images(folder)
    run(folder, "predict", "model", "images", "--out", "out/salt", "--threshold", "0.6")


def tuned(folder: Path) -> None:
    """A run whose threshold others beat, and a model, below `out`: tuning changes both in place."""
    write_bright_salt(folder / "tiles", 24)
    (folder / "tiny.yaml").write_text(tiny_recipe(train={"epochs": 12}))
    words = ("--recipe", "tiny.yaml", *TRAINED, "--lr", "0.01", "--out", "out/run")
    run(folder, "train", *words)
    bundles.annotate(bundles.load(folder / OUT / "run"), threshold=0.01)
    network = small_network(UNetConfig(base=4, levels=3), 1)
    small_bundle(folder / OUT / "b", network=network, name="b")


def two_models(folder: Path) -> None:
    """Two models of one architecture, and tiles."""
    network = small_network(UNetConfig(base=4, levels=3), 1)
    small_bundle(folder / "model")
    small_bundle(folder / "second", network=network, name="second")
    write_bright_salt(folder / "tiles", 12)


def zipped(folder: Path) -> None:
    """Kaggle's zip."""
    shutil.move(write_tiles(folder / "zip", "kaggle_zip", count=4), folder / "tiles.zip")


def sections(folder: Path) -> None:
    """Tiles of one section."""
    section = make_section(1, 2, 3)
    images = {
        f"t{row}{column}": section[
            row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE
        ]
        for row, column in np.ndindex(2, 3)
    }
    masks = {tile: (image > 150).astype(np.uint8) for tile, image in images.items()}
    write_tiles(folder / "tiles", images=images, masks=masks)


def pictures(folder: Path) -> None:
    """Pictures with labels, and a model to adapt."""
    small_bundle(folder / "model")
    write_pictures(folder / "pictures")
