"""Models with a content that nobody meant and hashes that are right, so that it is reached."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from diapir import bundle as bundles
from diapir.bundle import INFO, OWN_HASH
from diapir.inference import EngineOptions, open_models

IMAGE = np.random.default_rng(1).integers(0, 256, (24, 20), dtype=np.uint8)


def rewrite(folder: Path, tree: Any) -> None:
    """Write a `bundle.json` with its own hash."""
    if isinstance(tree, dict):
        tree = {key: value for key, value in tree.items() if key != OWN_HASH}
        text = json.dumps(tree, sort_keys=True)
        tree |= {OWN_HASH: hashlib.sha256(text.encode()).hexdigest()}
    (folder / INFO).write_text(json.dumps(tree))


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def use(folder: Path) -> None:
    """Open a model, predict a tile and write its card anew."""
    model = open_models([folder], EngineOptions(threads=1))
    model.probabilities([IMAGE])
    opened = bundles.load(folder)
    bundles.annotate(opened, metrics=opened.info.metrics)
