"""Adapting to a volume: from an inline to the salt of the whole block."""

from pathlib import Path

import numpy as np
import pytest

from diapir.adaptation import AdaptOptions, adapt, suggest
from diapir.surveys import SurveyOptions, open_store, open_survey, predict_survey
from diapir.surveys.labels.strokes import Stroke, Strokes, StrokeSection
from tests.adaptation.made_block import made_block, write_block
from tests.helpers.tiny import small_bundle

OPTIONS = AdaptOptions(steps=60, vertical=1, horizontal=1, replay_share=0, threads=1)
"""The tiny model has seen no other survey, so that there is nothing to replay. The salt is as
narrow as its window: at half the width, strokes give 0.84."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("model") / "small").path


def dice_of_block(run: Path, block: Path, out: Path) -> float:
    options = SurveyOptions(view="inline", formats=("none",))
    summary = predict_survey([run], open_survey(block), out, options)
    found = open_store(summary.store).read("probability", slice(None), slice(None))
    predicted, salt = found >= summary.threshold, made_block()[1] == 1
    return float(2 * (predicted & salt).sum() / (predicted.sum() + salt.sum()))


def test_one_labelled_inline_gives_the_block(model: Path, tmp_path: Path) -> None:
    block = write_block(tmp_path, 108)
    run = adapt(block, tmp_path / "inline_108.png", tmp_path / "run", model=model, options=OPTIONS)
    assert run.settings["clip"] > 0
    assert run.places == {"inline 108": ("block inline", 8)}
    assert dice_of_block(run.run, block, tmp_path / "out") > 0.9
    # all inlines are near the labelled one
    named = [each.name for each in suggest(run.run, block, most=10)]
    assert named
    assert all(name.startswith("crossline") for name in named)


def test_strokes_on_one_inline_give_the_block(model: Path, tmp_path: Path) -> None:
    block = write_block(tmp_path)

    def stroke(label: str, *points: tuple[float, float]) -> Stroke:
        return Stroke(label=label, width=6, height=24, points=points)  # type: ignore[arg-type]

    drawn = (
        stroke("salt", (335, 80), (385, 80)),
        stroke("salt", (360, 52), (360, 108)),
        stroke("not salt", (303, 12), (416, 12)),
        stroke("not salt", (303, 144), (416, 144)),
        stroke("not salt", (306, 20), (306, 140)),
        stroke("not salt", (413, 20), (413, 140)),
    )
    strokes = Strokes(sections=(StrokeSection(inline=108, strokes=drawn),))
    path = tmp_path / "strokes.json"
    path.write_text(strokes.model_dump_json(exclude_none=True), encoding="utf-8")
    run = adapt(block, path, tmp_path / "run", model=model, options=OPTIONS)
    assert dice_of_block(run.run, block, tmp_path / "out") > 0.9
    assert np.isfinite(run.threshold)
