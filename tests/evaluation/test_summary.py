"""The headline metrics as text."""

from __future__ import annotations

from diapir.evaluation import Evaluation, TileScore
from diapir.evaluation.summary import HEADLINES, summary


def evaluation(groups: int, intervals: dict[str, list[float]]) -> Evaluation:
    metrics = dict.fromkeys(HEADLINES, 0.5) | {"ci95": intervals}
    data = {"name": "survey", "part": "val", "n_images": 12, "n_groups": groups}
    tiles = [TileScore("a", "a", 9, 0.5, 0.5, 0.5, 0.5, 0.5)]
    tiles += [TileScore(name, name, 9, 0, 0, 1, 1, 1) for name in "bcd"]
    return Evaluation(metrics, [], [], [], tiles, {}, data)


def test_a_line_per_metric_with_its_interval() -> None:
    head, *lines, nothing = summary(evaluation(3, {"dice": [0.4, 0.6]}))
    assert (
        nothing
        == "a model that predicts nothing scores Kaggle mAP 0.7500, Dice 0.0000 on these tiles"
    )
    assert head == "survey, part val: 12 tiles in 3 sections"
    assert len(lines) == len(HEADLINES)
    assert lines[0].endswith("  0.5000  (95% CI 0.4000 to 0.6000)")
    assert all("CI" not in line for line in lines[1:])


def test_tiles_without_sections() -> None:
    assert next(summary(evaluation(12, {}))) == "survey, part val: 12 tiles"
