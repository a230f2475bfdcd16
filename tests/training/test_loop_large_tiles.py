"""Tiles larger than the input: trained on in crops, scored and predicted alike in windows."""

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from diapir import bundle
from diapir.cli import main
from diapir.config import RunConfig, load_recipe
from diapir.errors import Interrupted
from diapir.evaluation import Evaluation
from diapir.tiles import Split
from diapir.training import TrainResult, loop, train
from tests.helpers.tile_sets import make_tiles, write_tiles

Recipe = Callable[..., RunConfig]

SIZES = [(80, 150), (80, 150), (80, 150), (20, 100), (30, 30), (80, 150), (80, 150), (30, 30)]


@pytest.fixture(scope="module")
def sections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sections, strips and tiles with bright salt."""
    folder = tmp_path_factory.mktemp("sections")
    images, masks = {}, {}
    for number, size in enumerate(SIZES):
        one, two = make_tiles(2, size=size, seed=number)
        images[f"s{number}"], masks[f"s{number}"] = one["t001"], two["t001"]
    write_tiles(folder, images=images, masks=masks)
    return folder


def quietly(config: RunConfig, tiles: Path, run: Path, **options: Any) -> TrainResult:
    return train(config, tiles, run, stream=io.StringIO(), **options)


def command(*words: object) -> None:
    with pytest.raises(SystemExit) as end:
        main(list(map(str, words)))
    assert end.value.code == 0


def test_training_scores_evaluation_and_prediction_agree(
    sections: Path, tiny: Recipe, tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(
        tiny("optimizer.lr=0.01", "device.precision=fp32").to_yaml(), encoding="utf-8"
    )
    command("train", "--recipe", recipe, "--data", sections, "--out", run)
    assert "larger than 32 pixels; an epoch has" in (run / "log.txt").read_text("utf-8")
    saved = bundle.load(run).info
    assert (saved.tile, saved.window, saved.preprocess.size) == (150, 32, 32)

    found = Evaluation.load(run / "evaluation").metrics
    with (run / "metrics.csv").open(newline="") as stream:
        best = [row for row in csv.DictReader(stream) if row["best"] == "1"][-1]
    assert float(best["val_soft_dice"]) == pytest.approx(found["soft_dice"], abs=1e-5)
    assert float(best["val_dice"]) == pytest.approx(found["dice"], abs=1e-6)
    assert float(best["val_kaggle_map"]) == pytest.approx(found["kaggle_map"], abs=1e-6)

    command("predict", run, sections / "images", "--out", out)
    overlap = predicted = true = 0
    for tile in Split.load(run / "split.json").part("val"):
        salt = np.asarray(Image.open(out / "mask" / f"{tile}.png")) > 0
        truth = np.asarray(Image.open(sections / "masks" / f"{tile}.png")) > 0
        assert salt.shape == truth.shape
        overlap += int((salt & truth).sum())
        predicted, true = predicted + int(salt.sum()), true + int(truth.sum())
    assert 2 * overlap / (predicted + true) == pytest.approx(found["dice"], abs=1e-9)


RICH = (
    "augment.flip=random",
    "augment.rotate=8",
    "augment.scale=0.3",
    "augment.shift=0.1",
    "augment.elastic=0.05",
    "augment.noise=0.05",
    "augment.gamma=0.3",
    "loss.focal=0.5",
    "loss.tversky=[1, 0]",
    "loss.boundary=[0, 0.01]",
    "loss.ramp=[0.2, 0.8]",
    "loss.class_weights=[1, 2]",
    "optimizer.name=sgd",
    "optimizer.nesterov=true",
    "schedule.name=cosine",
    "train.accumulate=2",
)


def test_a_rich_recipe_on_crops_resumes_to_the_same_bits(
    sections: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("train.epochs=2", *RICH)
    quietly(config, sections, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    obey, calls = loop.Loop._obey_signals, iter(range(1000))

    def stop(self: loop.Loop) -> None:
        if next(calls) == 2:
            self._stopping.signum = 15
        obey(self)

    monkeypatch.setattr(loop.Loop, "_obey_signals", stop)
    with pytest.raises(Interrupted):
        quietly(config, sections, stopped)
    monkeypatch.setattr(loop.Loop, "_obey_signals", obey)
    quietly(config, sections, stopped, resume=True)
    one, other = (
        torch.load(max((run / "last").glob("state-*.pt")), weights_only=True)
        for run in (tmp_path / "whole", stopped)
    )
    assert one["cursor"]["step"] == other["cursor"]["step"] > 4
    for name, weight in one["network"].items():
        assert torch.equal(weight, other["network"][name]), name


def test_accumulated_batches_are_one_larger_batch(
    sections: Path, tiny: Recipe, tmp_path: Path
) -> None:
    ends = []
    for words in (("train.batch=8",), ("train.batch=2", "train.accumulate=4")):
        run = tmp_path / str(len(ends))
        config = tiny(
            "train.epochs=2", "optimizer.name=sgd", "optimizer.lr=0.1", "device.precision=fp32",
            *words,
        )  # fmt: skip
        quietly(config, sections, run)
        ends.append(torch.load(max((run / "last").glob("state-*.pt")), weights_only=True))
    assert ends[0]["cursor"]["step"] == ends[1]["cursor"]["step"]
    for name, weight in ends[0]["network"].items():
        torch.testing.assert_close(weight, ends[1]["network"][name], rtol=1e-3, atol=1e-5)


def test_a_copy_of_a_run_predicts_with_its_own_size(
    sections: Path, tiny: Recipe, tmp_path: Path
) -> None:
    """`auto` is resolved once: config.yaml and bundle hold the number."""
    config = tiny("preprocess.size=auto", "train.epochs=1")
    quietly(config, sections, tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    side = load_recipe(tmp_path / "moved" / "config.yaml").preprocess.size
    assert side == bundle.load(tmp_path / "moved").info.preprocess.size
    assert isinstance(side, int)
