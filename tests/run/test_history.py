from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diapir.config import load_recipe
from diapir.run.history import History, read_history
from tests.reports.made import metrics_csv


def written(folder: Path, text: str) -> History:
    path = folder / "metrics.csv"
    path.write_text(text, encoding="utf-8")
    return read_history(path)


def test_the_last_marked_epoch_is_the_best(tmp_path: Path) -> None:
    history = written(tmp_path, metrics_csv(9, best=4))

    assert history.epochs.tolist() == list(range(1, 10))
    assert history.best_epoch == 4
    assert history.at_best("val_loss") == pytest.approx(1.2)
    assert history.seconds() == pytest.approx(9 * 30.5)


def test_without_a_mark_the_lowest_validation_loss_is_the_best(tmp_path: Path) -> None:
    history = written(tmp_path, "epoch,val_loss\n1,0.9\n2,nan\n3,0.7\n4,0.8\n")

    assert history.best_epoch == 3
    assert np.isnan(history.column("grad_norm_mean")).all()


@pytest.mark.parametrize("text", ["", "epoch,val_loss\n", "no,such,columns\n1,2,3\n"])
def test_a_file_without_epochs_is_an_empty_history(tmp_path: Path, text: str) -> None:
    history = written(tmp_path, text)

    assert len(history) == 0
    assert history.best_epoch is None
    assert np.isnan(history.at_best("val_loss"))


def test_a_missing_file_is_an_empty_history(tmp_path: Path) -> None:
    assert len(read_history(tmp_path / "metrics.csv")) == 0


def test_torn_lines_and_unknown_values_are_passed_over(tmp_path: Path) -> None:
    history = written(tmp_path, "epoch,val_loss,lr\n1,0.9,inf\n\nrubbish\n2,0.8,0.1\n3,0.")

    assert history.epochs.tolist() == [1, 2, 3]
    assert np.isnan(history.column("lr")).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("epochs", "best", "ending"),
    [
        (50, 44, "completed all 50 epochs"),
        (20, 5, "early stopping: no better validation loss for 15 epochs"),
        (20, 6, "stopped after 20 of 50 epochs, by the time budget or manually"),
    ],
)
def test_how_a_run_ended(tmp_path: Path, epochs: int, best: int, ending: str) -> None:
    config = load_recipe("baseline")

    assert written(tmp_path, metrics_csv(epochs, best=best)).ending(config) == ending


def test_an_epoch_that_a_budget_cut_short_is_not_whole() -> None:
    columns = {"tiles_per_s": np.array([50.0, 50.0, 50.0]), "seconds": np.array([2.0, 1.9, 1.0])}
    history = History(np.arange(1, 4), columns, 1)
    assert history.whole_epochs(tiles=100, batch=8) == 2
    assert History(np.arange(1, 4), {}, 1).whole_epochs(tiles=100, batch=8) == 3
    assert History(np.zeros(0, np.int64), {}, None).whole_epochs(tiles=100, batch=8) == 0
