"""`bundle.json` with its own hash right: opened, run, and its card written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from diapir.bundle import INFO
from tests.fuzz.mutate import hostile_json, spoil_bytes, spoil_tree
from tests.fuzz.target import Rng, later
from tests.fuzz.targets.models import rewrite, use
from tests.helpers.tiny import small_bundle
from tests.surveys.made import onnx_bundle


class Inputs:
    def __init__(self, home: Path) -> None:
        measured = {"dice": 0.5, "ci95": {"dice": [0.4, 0.6]}, "data": {"name": "t", "part": "val"}}
        training = {"recipe": "tiny", "seed": 1, "vertical scale": [0.5, 1.5]}
        self._models = (
            onnx_bundle(home / "onnx"),
            small_bundle(home / "weights", metrics=measured, training=training).path,
        )

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        model = folder / "model"
        shutil.copytree(self._models[int(rng.integers(2))], model)
        if (own := later(rng, 0.1)) is not None:
            tree = json.loads((model / INFO).read_bytes())
            (model / INFO).write_bytes(hostile_json(own, tree))
        elif rng.random() < 0.15:
            (model / INFO).write_bytes(spoil_bytes(rng, (model / INFO).read_bytes()))
        else:
            rewrite(model, spoil_tree(rng, json.loads((model / INFO).read_bytes())))
        return lambda: use(model)
