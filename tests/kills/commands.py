"""The commands that are killed, and the small inputs that they work on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from diapir import bundle as bundles
from diapir.architectures import UNetConfig
from diapir.errors import DiapirError
from tests.helpers.segy import write_segy
from tests.helpers.tile_sets import write_tiles
from tests.helpers.tiny import small_bundle, small_network, tiny_recipe, write_bright_salt
from tests.surveys.made import onnx_bundle, volume
from tests.tiles.mosaic.sections import SIDE, make_section

_TRAINED = ("--data", "tiles", "--set", "device.threads=1")
_SMALL = UNetConfig(base=4, levels=3)
OUT = "out"
"""Folder below which operations count, and what is compared."""


@dataclass(frozen=True)
class Command:
    """A command to kill.

    Attributes:
        words: after `diapir`; run in a folder with the inputs, of which `out` may hold some.
        prepare: makes the inputs in a folder.
        models: whether `out` holds bundles, of which an earlier one is whole as well.
    """

    words: tuple[str, ...]
    prepare: Callable[[Path], object]
    models: bool = False


def _recipe(folder: Path) -> None:
    write_bright_salt(folder / "tiles", 12)
    (folder / "tiny.yaml").write_text(tiny_recipe(train={"epochs": 2}))
    (folder / "other.yaml").write_text(tiny_recipe(train={"epochs": 2, "batch": 3}))


def _model(folder: Path) -> None:
    made = onnx_bundle(folder / "made", size=16)
    shutil.move(made, folder / "model")
    shutil.rmtree(folder / "made")


def _volume(folder: Path) -> None:
    _model(folder)
    write_segy(folder / "vol.sgy", volume((12, 20, 24)))


def _line(folder: Path) -> None:
    _model(folder)
    write_segy(folder / "line.sgy", volume((1, 40, 24))[0], inlines=None)


def _images(folder: Path) -> None:
    _model(folder)
    (folder / "images").mkdir()
    noise = np.random.default_rng(1)
    for number in range(3):
        image = noise.integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(image).save(folder / "images" / f"a{number}.png")


def _store(folder: Path) -> None:
    from diapir.inference import EngineOptions
    from diapir.surveys import SurveyOptions, open_survey, predict_survey

    _volume(folder)
    survey = open_survey(folder / "vol.sgy")
    options = SurveyOptions(block=8, formats=("none",))
    predict_survey([folder / "model"], survey, folder / OUT, options, engine=EngineOptions())
    survey.close()


def _models(folder: Path) -> None:
    """A run and a model below `out`, which tuning changes in place."""
    write_bright_salt(folder / "tiles", 24)
    (folder / "tiny.yaml").write_text(tiny_recipe(train={"epochs": 1}))
    words = ("train", "--recipe", "tiny.yaml", *_TRAINED, "--out", "out/run")
    subprocess.run(
        [sys.executable, "-m", "diapir", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    small_bundle(folder / OUT / "b", network=small_network(_SMALL, 1), name="b")


def _one_model(folder: Path) -> None:
    small_bundle(folder / "model")


def _zip(folder: Path) -> None:
    shutil.move(write_tiles(folder / "zip", "kaggle_zip", count=4), folder / "tiles.zip")


def _sections(folder: Path) -> None:
    section = make_section(1, 2, 3)
    images = {
        f"t{row}{column}": section[
            row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE
        ]
        for row, column in np.ndindex(2, 3)
    }
    masks = {tile: (image > 150).astype(np.uint8) for tile, image in images.items()}
    write_tiles(folder / "tiles", images=images, masks=masks)


def _tiles(folder: Path) -> None:
    write_bright_salt(folder / "tiles", 12)


COMMANDS: dict[str, Command] = {
    "train": Command(
        ("train", "--recipe", "tiny.yaml", *_TRAINED, "--out", "out/run", "--resume"),
        _recipe,
        models=True,
    ),
    "predict-volume": Command(
        ("predict", "model", "vol.sgy", "--out", OUT, "--block", "8", "--threads", "1"), _volume
    ),
    "predict-line": Command(
        ("predict", "model", "line.sgy", "--out", OUT, "--threads", "1"), _line
    ),
    "predict-images": Command(
        ("predict", "model", "images", "--out", "out/salt", "--threads", "1"), _images
    ),
    "products": Command(("products", OUT), _store),
    "tune": Command(
        (
            *("tune", "out/run", "--into", "out/b", "--data", "tiles", "--out", "out/tuned.json"),
            *("--threads", "1"),
        ),
        _models,
        models=True,
    ),
    "compare": Command(
        ("compare", "--recipes", "tiny.yaml,other.yaml", *_TRAINED, "--out", "out/comparison"),
        _recipe,
        models=True,
    ),
    "export": Command(("export", "model", "--to", "onnx", "--out", "out/onnx"), _one_model),
    "import": Command(("data", "import", "tiles.zip", "--out", "out/tiles"), _zip),
    "mosaic": Command(("data", "mosaic", "tiles", "--out", "out/mosaic"), _sections),
    "synth": Command(("data", "synth", "--out", "out/set", "--tiles", "4"), lambda folder: None),
    "split": Command(("data", "split", "tiles", "--out", "out/split.json"), _tiles),
}


def is_whole(path: Path) -> bool:
    """Whether a file that is neither the old nor the new one may be one between them: JSON is."""
    if path.suffix != ".json":
        return False
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def torn_bundles(out: Path) -> list[Path]:
    """Bundles below a folder that do not match their own hashes."""
    found = []
    for info in out.rglob(bundles.INFO):
        if any(part.startswith(".") for part in info.relative_to(out).parts):
            continue
        try:
            bundles.load(info.parent)
        except DiapirError:
            found.append(info.parent)
    return found
