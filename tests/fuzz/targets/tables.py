"""CSV and JSON of runs, evaluations, comparisons and tile sets, and options with a syntax."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diapir.cli.options import parse_duration
from diapir.comparison.state import StateFile, TrainingState, begin, open_state
from diapir.comparison.variants import variants
from diapir.errors import ConfigError
from diapir.evaluation.result import SCORES, TILES, Evaluation, TileScore
from diapir.evaluation.summary import summary
from diapir.inference.image_results import COLUMNS as COLUMNS_OF_IMAGES
from diapir.inference.image_results import STARTED, EarlierImages
from diapir.run.folder import run_config
from diapir.run.history import read_history
from diapir.tiles import Split, load_tiles
from diapir.tiles.groups import read_groups
from diapir.tiles.mosaic.mosaic_files import MARKER, read_mosaic
from diapir.training.epoch_metrics import COLUMNS
from diapir.training.tracking.metrics_file import read_metrics
from tests.fuzz.mutate import (
    TEXTS,
    hostile_json,
    pick,
    spoil_bytes,
    spoil_text,
    spoil_tree,
    to_json,
)
from tests.fuzz.target import Rng, later
from tests.helpers.tile_sets import write_tiles

_DURATIONS = ("20m", "1h30m", "90s", "1e3", "inf", "-1s", "nan", "", "1d", "9" * 400, "1h1h", "٣m")
_VARIES = ("a: train.batch=2", "train.batch=2", ": x=1", "a:", "a: b=c d='", "a/b: x=1", "\0: x=1")


class Inputs:
    def __init__(self, home: Path) -> None:
        rows = [",".join(["1"] * len(COLUMNS)), ",".join(["0.5"] * len(COLUMNS))]
        self._metrics = "\n".join([",".join(COLUMNS), *rows, ""])
        tiles = {f"t{number}": f"{number:064x}" for number in range(4)}
        parts = {"train": ("t0", "t1", "t2"), "val": ("t3",)}
        Split(parts, tiles, 1, "holdout").save(home / "split.json")
        self._split = json.loads((home / "split.json").read_bytes())
        self._groups = "id,group\n" + "".join(f"t{n},g{n // 2}\n" for n in range(4))
        score = TileScore("t0", "g0", 400, 0.2, 0.3, 0.8, 0.7, 0.5)
        metrics = {"dice": 0.5, "ci95": {"dice": [0.4, 0.6]}, "n_images": 1, "threshold": 0.5}
        data = {"name": "t", "part": "val", "hash": "0" * 64, "n_images": 1, "n_groups": 1}
        evaluation = Evaluation(metrics, [{"coverage": "0"}], [], [], [score], {"name": "m"}, data)
        evaluation.save(home / "evaluation")
        self._evaluation = home / "evaluation"
        self._request = {"data": "tiles", "seeds": 1, "recipes": {"a": {"name": "a"}}, "DATA": "x"}
        self._trainings = {"a-seed42": asdict(TrainingState(state="done", spent_s=3.0))}
        placed = [{"id": f"t{n}", "row": n // 2, "column": n % 2} for n in range(4)]
        self._mosaic = {"format": 1, "sections": [{"name": "t0", "group": "g", "tiles": placed}]}
        self._kaggle = write_tiles(home / "kaggle", "kaggle", count=3, size=(6, 7))
        self._uses = (
            self._metrics_csv, self._split_json, self._groups_csv, self._evaluation_folder,
            self._compare_json, self._mosaic_json, self._kaggle_tables, self._options,
            self._config_yaml,
        )  # fmt: skip

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        if (own := later(rng, 0.1)) is not None:
            return self._predictions_csv(own, folder)
        return pick(rng, self._uses)(rng, folder)

    def _metrics_csv(self, rng: Rng, folder: Path) -> Callable[[], object]:
        path = _write_text(rng, folder / "metrics.csv", self._metrics)
        lenient = rng.random() < 0.5
        return lambda: read_history(path).ending(None) if lenient else read_metrics(path)

    def _split_json(self, rng: Rng, folder: Path) -> Callable[[], object]:
        path = _write_json(rng, folder / "split.json", self._split)
        return lambda: Split.load(path)

    def _groups_csv(self, rng: Rng, folder: Path) -> Callable[[], object]:
        path = _write_text(rng, folder / "groups.csv", self._groups)
        return lambda: read_groups(path)

    def _evaluation_folder(self, rng: Rng, folder: Path) -> Callable[[], object]:
        shutil.copytree(self._evaluation, folder, dirs_exist_ok=True)
        table = folder / TILES
        if rng.random() < 0.5:
            _write_text(rng, table, table.read_text())
        scores = json.loads((folder / SCORES).read_bytes())
        scores["tiles_sha256"] = hashlib.sha256(table.read_bytes()).hexdigest()
        if rng.random() < 0.7:
            _write_json(rng, folder / SCORES, scores)
        else:
            (folder / SCORES).write_text(json.dumps(scores))

        def use() -> None:
            found = Evaluation.load(folder)
            summary(found, None)
            found.worst(3)

        return use

    def _compare_json(self, rng: Rng, folder: Path) -> Callable[[], object]:
        content = {
            "format": 1, "command": self._request, "trainings": self._trainings, "result": {},
        }  # fmt: skip
        _write_json(rng, folder / "compare.json", content)

        def use() -> None:
            state = open_state(folder)
            begun: StateFile = begin(folder, state, self._request)
            for name, training in begun.trainings.items():
                training.settled(folder / "x")
                begun.note(name, training)

        return use

    def _mosaic_json(self, rng: Rng, folder: Path) -> Callable[[], object]:
        _write_json(rng, folder / MARKER, self._mosaic)
        return lambda: [section.tiles for section in read_mosaic(folder)]

    def _kaggle_tables(self, rng: Rng, folder: Path) -> Callable[[], object]:
        shutil.copytree(self._kaggle, folder, dirs_exist_ok=True)
        path = folder / pick(rng, ("train.csv", "depths.csv"))
        _write_text(rng, path, path.read_text())
        encoding = pick(rng, ("auto", "rle"))
        return lambda: load_tiles(folder, encoding=encoding)

    def _options(self, rng: Rng, folder: Path) -> Callable[[], object]:
        if rng.random() < 0.5:
            text = spoil_text(rng, pick(rng, _DURATIONS), most=2)
            return lambda: _duration(text)
        text = spoil_text(rng, pick(rng, _VARIES), most=2)
        return lambda: variants(["compact/unet", "compact/fcn"], [text])

    def _predictions_csv(self, rng: Rng, folder: Path) -> Callable[[], object]:
        table = ",".join(COLUMNS_OF_IMAGES) + "\na.png,a,4,5,0.1,0.2,\nb.png,deep/b,4,5,0.1,0.2,\n"
        _write_text(rng, folder / "predictions.csv", table)
        if rng.random() < 0.5:
            _write_text(rng, folder / STARTED, "a\ndeep/b\n../../x\n")
        outside = folder.parent / "kept.png"
        outside.touch()

        def use() -> None:
            earlier = EarlierImages(folder, ["a"])
            earlier.begin()
            earlier.end(["a"])
            assert outside.exists()

        return use

    def _config_yaml(self, rng: Rng, folder: Path) -> Callable[[], object]:
        text = "name: run\nseed: 1\nmodel: {name: unet, base: 2}\ntrain:\n  batch: 2\n"
        _write_text(rng, folder / "config.yaml", text)
        return lambda: run_config(folder)


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        if "is not a duration" not in str(error):
            raise
        raise ConfigError(str(error), expected="a duration", fix="write 20m") from None


def _write_text(rng: Rng, path: Path, text: str) -> Path:
    if rng.random() < 0.3:
        path.write_bytes(spoil_bytes(rng, text.encode()))
        return path
    cells = text.split(",")
    if rng.random() < 0.4 and len(cells) > 1:
        cells[int(rng.integers(len(cells)))] = pick(rng, (*TEXTS, "1e400", "-1", "1e300"))
        text = ",".join(cells)
    else:
        text = spoil_text(rng, text)
    path.write_bytes(text.encode(errors="surrogatepass"))
    return path


def _write_json(rng: Rng, path: Path, tree: Any) -> Path:
    if (own := later(rng, 0.15)) is not None:
        path.write_bytes(hostile_json(own, tree))
    elif rng.random() < 0.2:
        path.write_bytes(spoil_bytes(rng, to_json(tree).encode()))
    elif rng.random() < 0.05:
        path.write_text("[" * 100_000)
    else:
        path.write_text(to_json(spoil_tree(rng, tree)))
    return path
