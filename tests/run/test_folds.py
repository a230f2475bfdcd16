"""The folder of folds: how far they are, and the models that it stands for."""

import os
from pathlib import Path

import pytest

from diapir import bundle
from diapir.config import RunConfig
from diapir.errors import BundleError, RunError
from diapir.run.folder import FOLDS, RunFolder
from diapir.run.folds import FoldsState, FoldState, expand, fold_runs, saved_folds

DONE = FoldState(spent_s=30.0, best_epoch=2, best_val_loss=0.5, epochs=3, stopped="early")


def state(*folds: FoldState) -> FoldsState:
    return FoldsState(RunConfig(name="cv").model_dump(mode="json"), folds)


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    assert saved_folds(tmp_path) is None
    before = state(DONE, FoldState(begun_at=1.5)).with_budget(60)
    before.save(tmp_path)
    assert saved_folds(tmp_path) == before
    assert before.config(["train.epochs=7"]).train.epochs == 7


@pytest.mark.parametrize("content", ["", "{}", '{"folds": 3}', '{"recipe": {}, "folds": [1]}'])
def test_another_file_is_a_plain_error(tmp_path: Path, content: str) -> None:
    (tmp_path / FOLDS).write_text(content)
    with pytest.raises(RunError, match=r"folds\.json cannot be read"):
        saved_folds(tmp_path)


def test_a_budget_is_shared_out_over_what_is_left() -> None:
    three = state(FoldState(), FoldState(), FoldState())
    assert three.share_s is None
    assert three.with_budget(90).share_s == 30
    assert three.with_budget(90).with_budget(None).share_s == 30
    # 60 s for two folds, one of which has had 10 s: both end with 35 s
    begun = state(DONE, FoldState(spent_s=10.0), FoldState()).with_budget(60)
    assert begun.share_s == 35
    assert state(DONE).with_budget(60).share_s is None


def test_a_killed_attempt_counts_up_to_its_last_checkpoint(tmp_path: Path) -> None:
    begun = FoldState(spent_s=5.0, begun_at=1000.0)
    assert begun.settled(tmp_path) == FoldState(spent_s=5.0)
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "manifest.json").touch()
    os.utime(tmp_path / "last" / "manifest.json", (1012.0, 1012.0))
    assert begun.settled(tmp_path) == FoldState(spent_s=17.0)
    assert DONE.settled(tmp_path) is DONE


def test_a_folder_of_folds_stands_for_its_runs(tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    folder.mkdir()
    state(DONE, DONE).save(folder)
    assert expand([tmp_path / "a", folder]) == [tmp_path / "a", folder / "fold0", folder / "fold1"]
    assert expand(["salt"]) == ["salt"]
    assert expand([]) == []
    with pytest.raises(BundleError, match="holds the models of several folds") as caught:
        bundle.load(folder)
    assert str(folder / "fold0") in caught.value.fix


def test_folds_that_are_not_trained_are_no_model(tmp_path: Path) -> None:
    folder = tmp_path / "my cv"
    folder.mkdir()
    state(DONE, FoldState()).save(folder)
    with pytest.raises(RunError, match=r"1 of the 2 folds of .* are trained") as caught:
        expand([folder])
    assert caught.value.fix == f"resume it: diapir train --resume '{folder}'"


def test_no_single_run_is_trained_into_folds(tmp_path: Path) -> None:
    state(DONE).save(tmp_path)
    with pytest.raises(RunError, match="holds the folds of a training"):
        RunFolder(tmp_path, resume=True).__enter__()
    with RunFolder(tmp_path, resume=True, marker=FOLDS):
        pass
    assert fold_runs(tmp_path, 2) == (tmp_path / "fold0", tmp_path / "fold1")
