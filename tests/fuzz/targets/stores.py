"""Stores of predictions, damaged: opened, read, and their products made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numcodecs
import numpy as np

from diapir.surveys import open_store
from diapir.surveys.prediction.blocks import prepare
from diapir.surveys.prediction.prediction_store import create_store, encode
from diapir.surveys.products.from_prediction import find_stores, store_products
from diapir.surveys.products.product_options import ProductOptions
from tests.fuzz.mutate import hostile_json, pick
from tests.fuzz.target import Rng, later
from tests.fuzz.targets.arrays import spoil_store
from tests.surveys.made import record
from tests.surveys.made_salt import ball, line_grid, volume_grid


class Inputs:
    def __init__(self, home: Path) -> None:
        self._stores = []
        salt = ball((8, 9, 12), (4, 4, 6), 3)
        line = np.broadcast_to(salt[4], (1, 9, 12)).astype(np.float32)
        made = ((volume_grid(salt.shape), salt), (line_grid(9, 12), line))
        for number, (grid, values) in enumerate(made):
            for suffix in (".zarr", ".prediction")[number:]:
                path = home / f"made{number}{suffix}"
                store = create_store(path, grid, record())
                prepare(store, store.record)
                stored = encode(values.astype(np.float32), "uint8")
                store.write("probability", slice(0, len(values)), slice(0, 9), stored)
                self._stores.append(path)

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        source = pick(rng, self._stores)
        path = folder / source.name
        shutil.copytree(source, path)
        if (own := later(rng, 0.15)) is not None:
            _exchange(own, path)
        else:
            spoil_store(rng, path)
        if rng.random() < 0.7:
            return lambda: open_store(path).read("probability", slice(0, 2), slice(0, 5))
        options = ProductOptions(formats=("csv",))

        def products() -> None:
            for store in find_stores([folder]):
                store_products(store, options)

        return products


def _exchange(rng: Rng, path: Path) -> None:
    """Replace files of a store by others of it, or by much of nothing."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    for _ in range(int(rng.integers(1, 4))):
        kind = int(rng.integers(3))
        file = pick(rng, files)
        if kind == 0:
            file.write_bytes(pick(rng, files).read_bytes())
        elif kind == 1:
            file.write_bytes(numcodecs.Blosc().encode(bytes(int(10 ** rng.uniform(2, 7.5)))))
        else:
            file.write_bytes(hostile_json(rng, {"shape": [1, 9, 12], "diapir": {"asked": {}}}))
