"""Each sentence is said where the figures bear it, and only there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from diapir.reports.run.findings import findings
from diapir.run.history import History, read_history
from tests.reports.made import Case, case_of, metrics_csv, write_tiles


def said(case: Case, history: History | None = None) -> str:
    return " ".join(findings(case.evaluation, history))


def test_account_of_hits_and_misses(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", [0, 0, 0, 0.5, 0.5, 0.9])
    truth = [(tiles.mask(place) == 1).astype(np.float32) for place in range(len(tiles))]
    truth[0][0, 0] = 0.9  # one empty tile with a wrong pixel
    truth[3][:] = 0  # one tile of three missed wholly

    text = said(case_of(tiles, truth))

    assert "1 of 3 tiles with salt are missed completely" in text
    assert "1 of 3 tiles without salt have false positives" in text
    # each costs a whole point of six tiles
    assert "The Kaggle mAP is 0.333 below 1; 50 % of this error (0.167) comes from" in text
    assert "74 % of the salt is found (recall)" in text
    assert "too little salt is predicted" in text


def test_a_better_threshold_is_named_with_a_warning(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", [0, 0.3, 0.5, 0.9])
    timid = [np.where(tiles.mask(place) == 1, 0.4, 0.1) for place in range(len(tiles))]
    case = case_of(tiles, [probability.astype(np.float32) for probability in timid])

    # 0.15 is the lowest threshold of the sweep above 0.1
    assert "A threshold of 0.15 instead of 0.5 would raise the Kaggle mAP by 0.750" in said(case)
    hopeless = case_of(tiles.select(tiles.ids[1:]), [np.zeros((20, 20), np.float32)] * 3)
    assert "threshold" not in said(hopeless)
    best = case_of(tiles, case.probabilities, threshold=0.3)
    assert "The threshold 0.3 is close to optimal" in said(best)


def test_no_threshold_is_advised_that_removes_all_salt(tmp_path: Path) -> None:
    tiles = write_tiles(tmp_path / "tiles", [0, 0, 0, 0.3])
    wrong = [np.where(tiles.mask(place) == 1, 0.1, 0.6) for place in range(len(tiles))]
    text = said(case_of(tiles, [probability.astype(np.float32) for probability in wrong]))
    assert "not better than predicting nothing, whose Kaggle mAP is 0.750" in text
    assert "threshold" not in text


def test_few_groups_call_for_caution(case: Case, tmp_path: Path) -> None:
    assert "preliminary" not in said(case)
    few = case_of(case.tiles.select(case.tiles.ids[:8]))
    assert "only 8 tiles: the scores are preliminary" in said(few)
    lines = tuple(f"line {place % 3}" for place in range(len(few.tiles)))
    assert "only 8 tiles of 3 section groups" in said(
        case_of(dataclasses.replace(few.tiles, groups=lines))
    )


def history(folder: Path, text: str) -> History:
    (folder / "metrics.csv").write_text(text)
    return read_history(folder / "metrics.csv")


def test_overfitting_is_seen(case: Case, tmp_path: Path) -> None:
    text = said(case, history(tmp_path, metrics_csv(20, best=5)))
    assert "Overfitting after epoch 5" in text


def test_a_run_that_was_still_improving_should_be_longer(case: Case, tmp_path: Path) -> None:
    text = said(case, history(tmp_path, metrics_csv(6, best=6)))
    assert "The last epoch was the best" in text


def test_a_curve_that_has_come_to_its_end_promises_nothing(case: Case, tmp_path: Path) -> None:
    lines = [f"{epoch},{rate},{1 / epoch},{1 / epoch},1" for epoch, rate in ((1, 1e-3), (2, 1e-6))]
    text = said(case, history(tmp_path, "\n".join(["epoch,lr,train_loss,val_loss,best", *lines])))
    assert "longer training" not in text
    going_on = "\n".join(["epoch,lr,train_loss,val_loss,best", *lines]).replace("1e-06", "0.0005")
    assert "longer training" in said(case, history(tmp_path, going_on))


def test_unknown_losses_say_nothing(case: Case, tmp_path: Path) -> None:
    unknown = history(tmp_path, "epoch,train_loss,val_loss,best\n1,nan,nan,1\n")
    assert "epoch" not in said(case, unknown)


def test_tendency_follows_precision_and_recall(case: Case) -> None:
    def with_scores(**scores: Any) -> Case:
        metrics = case.evaluation.metrics | scores
        return dataclasses.replace(
            case, evaluation=dataclasses.replace(case.evaluation, metrics=metrics)
        )

    assert "are balanced" in said(with_scores(precision=0.9, recall=0.88))
    assert "too much salt is predicted" in said(with_scores(precision=0.7, recall=0.88))
