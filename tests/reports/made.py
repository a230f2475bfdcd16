"""Made-up tiles, predictions, scores and run folders for the tests of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir import bundle as bundles
from diapir.bundle import Bundle
from diapir.config import RunConfig
from diapir.evaluation import Evaluation, evaluate
from diapir.tiles import TileSet, load_tiles, make_split

Probabilities = list[NDArray[np.float32]]

COLUMNS = (
    "epoch,lr,train_loss,train_ce,train_dice_loss,train_soft_dice,val_loss,val_ce,val_dice_loss,"
    "val_soft_dice,val_dice,val_iou,grad_norm_mean,grad_norm_max,skipped_steps,tiles_per_s,"
    "seconds,best"
)
COVERAGES = (0, 0, 0, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass
class Case:
    """Tiles, what a model says of them, and the scores."""

    evaluation: Evaluation
    tiles: TileSet
    probabilities: Probabilities

    @property
    def arguments(self) -> tuple[Evaluation, TileSet, Probabilities]:
        return self.evaluation, self.tiles, self.probabilities


def write_tiles(
    folder: Path,
    coverages: Sequence[float],
    *,
    names: Sequence[str] = (),
    sizes: Sequence[int] = (),
) -> TileSet:
    """Tiles of noise whose lowest rows are salt."""
    random = np.random.default_rng(7)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number, coverage in enumerate(coverages):
        name = names[number] if names else f"tile{number:03d}"
        size = sizes[number % len(sizes)] if sizes else 20
        mask = np.zeros((size, size), np.uint8)
        mask[size - round(coverage * size) :] = 255 if coverage else 0
        noise = random.integers(0, 256, (size, size), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "images" / f"{name}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    return load_tiles(folder, encoding="grey8")


def predict(tiles: TileSet, *, noise: float = 0.3) -> Probabilities:
    """Made-up probabilities that are right more often than not."""
    random = np.random.default_rng(3)
    probabilities = []
    for place in range(len(tiles)):
        salt = (tiles.mask(place) == 1).astype(np.float32)
        field = 0.15 + 0.7 * salt + noise * random.standard_normal(salt.shape)
        probabilities.append(np.clip(field, 0, 1).astype(np.float32))
    return probabilities


def case_of(tiles: TileSet, probabilities: Probabilities | None = None, **options: object) -> Case:
    probabilities = predict(tiles) if probabilities is None else probabilities
    settings = {"part": "val", "resamples": 50} | options
    return Case(evaluate(tiles, probabilities, **settings), tiles, probabilities)


def metrics_csv(epochs: int, *, best: int) -> str:
    rows = [COLUMNS]
    for epoch in range(1, epochs + 1):
        train, validation = 1.6 / epoch**0.5, 1.2 + 0.02 * abs(epoch - best)
        marked = int(epoch == 1 or epoch <= best)
        rows.append(
            f"{epoch},0.0005,{train},{train / 5},0.6,0.4,{validation},0.3,0.5,{0.5 + epoch / 100},"
            f"0.6,0.45,1.5,4.5,0,64.5,30.5,{marked}"
        )
    return "\n".join(rows) + "\n"


def fill_run(run: Path, tiles: TileSet, config: RunConfig, *, epochs: int = 20) -> Bundle:
    """A run folder as a training leaves it; the network has 64 + 36 values."""
    run.mkdir(exist_ok=True)
    (run / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    (run / "metrics.csv").write_text(metrics_csv(epochs, best=5), encoding="utf-8")
    split = make_split(tiles, val_fraction=0.4, seed=11)
    split.save(run / "split.json")
    return bundles.save(
        run / "best",
        {"first": np.zeros((8, 8), np.float32), "second": np.zeros((4, 9), np.float32)},
        name=config.name,
        model=config.model,
        preprocess=config.preprocess,
        training={"recipe": config.name, "data": tiles.name, "data hash": tiles.hash},
    )
