"""The commands that are killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from diapir import bundle as bundles
from diapir.errors import DiapirError
from tests.kills import inputs
from tests.kills.inputs import OUT, TRAINED


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


_THREAD = ("--threads", "1")
_VOLUME = ("predict", "model", "vol.sgy", "--out", OUT, "--block", "8", *_THREAD)
_TRAIN = ("train", "--recipe", "tiny.yaml", *TRAINED, "--resume", "--out")

COMMANDS: dict[str, Command] = {
    "train": Command((*_TRAIN, "out/run"), inputs.recipes, models=True),
    "train-folds": Command(
        (*_TRAIN, "out/cv", "--folds", "2", "--epochs", "1"), inputs.recipes, models=True
    ),
    "predict-volume": Command(_VOLUME, inputs.survey),
    "predict-formats": Command(
        (*_VOLUME, "--formats", "npy", "--precision", "float16", "--horizons"), inputs.survey
    ),
    "predict-workers": Command((*_VOLUME, "--workers", "2"), inputs.survey),
    "predict-line": Command(("predict", "model", "line.sgy", "--out", OUT, *_THREAD), inputs.line),
    "predict-images": Command(
        ("predict", "model", "images", "--out", "out/salt", *_THREAD), inputs.images
    ),
    "predict-images-again": Command(
        ("predict", "model", "images", "--out", "out/salt", *_THREAD), inputs.predicted_images
    ),
    "products": Command(("products", OUT), inputs.store),
    "products-again": Command(("products", OUT), inputs.with_products),
    "tune": Command(
        (
            *("tune", "out/run", "--into", "out/b", "--data", "tiles", "--out", "out/tuned.json"),
            *("--apply", "--report", *_THREAD),
        ),
        inputs.tuned,
        models=True,
    ),
    "compare": Command(
        ("compare", "--recipes", "tiny.yaml,other.yaml", *TRAINED, "--out", "out/comparison"),
        inputs.recipes,
        models=True,
    ),
    "export": Command(("export", "model", "--to", "onnx", "--out", "out/onnx"), inputs.two_models),
    "average": Command(("average", "model", "second", "--out", "out/mean"), inputs.two_models),
    "evaluate": Command(
        ("evaluate", "model", "--data", "tiles", "--out", "out/scores", *_THREAD),
        inputs.two_models,
    ),
    "submit": Command(
        ("submit", "model", "--data", "tiles.zip", "--out", "out/a.csv", *_THREAD),
        lambda folder: (inputs.zipped(folder), inputs.model(folder)),
    ),
    "pseudo": Command(
        (
            *("data", "pseudo", "model", "--data", "tiles/images", "--out", "out/labelled"),
            *("--low", "0.499", "--high", "0.501", "--confident", "0", *_THREAD),
        ),
        inputs.two_models,
    ),
    "adapt": Command(
        (
            *("adapt", "pictures", "--labels", "pictures", "--model", "model"),
            *("--steps", "6", "--out", "out/run", *_THREAD),
        ),
        inputs.pictures,
        models=True,
    ),
    "import": Command(("data", "import", "tiles.zip", "--out", "out/tiles"), inputs.zipped),
    "mosaic": Command(("data", "mosaic", "tiles", "--out", "out/mosaic"), inputs.sections),
    "synth": Command(("data", "synth", "--out", "out/set", "--tiles", "4"), lambda folder: None),
    "split": Command(("data", "split", "tiles", "--out", "out/split.json"), inputs.two_models),
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
