"""All folds of a recipe, trained as one."""

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from diapir import bundle
from diapir.comparison.train_folds import train_folds
from diapir.config import RunConfig, parse_config
from diapir.errors import ConfigError, Interrupted, RunError, SplitError
from diapir.run.folds import saved_folds
from diapir.tiles import Split, load_tiles, make_folds
from diapir.training import TrainResult
from diapir.training.session import Session
from diapir.training.stopping import Stopping
from tests.helpers.tiny import TINY

Recipe = Callable[..., RunConfig]


def quietly(
    config: RunConfig, tiles: Path, folder: Path, folds: int = 2, **options: object
) -> tuple[TrainResult, ...]:
    results = train_folds(config, tiles, folder, folds=folds, stream=io.StringIO(), **options)  # type: ignore[arg-type]
    return tuple(results)


@pytest.fixture
def tiny() -> Recipe:
    """The tiny recipe, with `section.key=value` overrides."""

    def make(*overrides: str) -> RunConfig:
        return parse_config(TINY, source="tiny", overrides=overrides)

    return make


@pytest.fixture(scope="module")
def whole(tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folds that nothing disturbed."""
    folder = tmp_path_factory.mktemp("folds") / "cv"
    config = parse_config(TINY, source="tiny", overrides=["train.epochs=2"])
    results = quietly(config, tiles, folder)
    assert [result.run for result in results] == [folder / "fold0", folder / "fold1"]
    assert [result.stopped for result in results] == ["epochs", "epochs"]
    return folder


def same_models(first: Path, second: Path) -> bool:
    return all(
        bundle.load(first / fold).info.weights_sha256
        == bundle.load(second / fold).info.weights_sha256
        for fold in ("fold0", "fold1")
    )


def test_each_fold_holds_out_its_part(whole: Path, tiles: Path) -> None:
    split = Split.load(whole / "split.json")
    assert split == make_folds(load_tiles(tiles), folds=2, seed=42)
    for number in (0, 1):
        own = Split.load(whole / f"fold{number}" / "split.json")
        assert own.part("val") == split.part(f"fold{number}")


def test_folds_that_are_done_are_not_trained_again(
    whole: Path, tiles: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: object) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(Session, "step", step)
    again = quietly(tiny("train.epochs=2"), tiles, whole, resume=True)
    assert [result.epochs for result in again] == [2, 2]
    with pytest.raises(RunError, match="already holds a run"):
        quietly(tiny("train.epochs=2"), tiles, whole)


@pytest.mark.parametrize("step", [3, 9])  # in the first fold and in the second
def test_a_stopped_training_of_folds_resumes_to_the_same_bits(
    whole: Path,
    tiles: Path,
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    stepped, count = Session.step, iter(range(1, 100))

    def step_once(self: Session, *args: object) -> object:
        if next(count) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return stepped(self, *args)  # type: ignore[arg-type]

    folder = tmp_path / "cv"
    with monkeypatch.context() as patched:
        patched.setattr(Session, "step", step_once)
        with pytest.raises(Interrupted) as stopped:
            quietly(tiny("train.epochs=2"), tiles, folder)
    assert stopped.value.exit_code == 143
    assert str(stopped.value).endswith(f"resume with: diapir train --resume {folder}")
    state = saved_folds(folder)
    assert state is not None
    assert [fold.done for fold in state.folds] == [step > 6, False]
    quietly(tiny("train.epochs=2"), tiles, folder, resume=True)
    assert same_models(whole, folder)


def test_a_budget_is_for_all_folds(
    tiles: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []
    begin = Stopping.__init__

    def note(self: Stopping, budget_s: float | None) -> None:
        given.append(budget_s)
        begin(self, budget_s)

    monkeypatch.setattr(Stopping, "__init__", note)
    quietly(tiny("train.epochs=1"), tiles, tmp_path / "cv", budget_s=600)
    assert given == [300, 300]


def test_folds_of_a_file_are_taken(tiles: Path, tiny: Recipe, tmp_path: Path) -> None:
    split = make_folds(load_tiles(tiles), folds=2, seed=9)
    split.save(tmp_path / "mine.json")
    config = tiny("train.epochs=1", f"data.split={tmp_path / 'mine.json'}")
    quietly(config, tiles, tmp_path / "cv")
    assert Split.load(tmp_path / "cv" / "split.json") == split
    with pytest.raises(SplitError, match="has the parts fold0, fold1"):
        quietly(config, tiles, tmp_path / "other", folds=3)


@pytest.mark.parametrize(
    ("setting", "folds", "match"),
    [
        ("train.epochs=1", 1, "1 folds"),
        ("data.use_all=true", 2, "data.use_all trains on all tiles"),
        ("preprocess.size=33", 2, "not a multiple of"),
    ],
)
def test_what_is_refused_leaves_no_folder_behind(
    tiles: Path, tiny: Recipe, tmp_path: Path, setting: str, folds: int, match: str
) -> None:
    folder = tmp_path / "cv"
    with pytest.raises(ConfigError, match=match):
        quietly(tiny(setting), tiles, folder, folds=folds)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_another_recipe_is_refused(whole: Path, tiles: Path, tiny: Recipe) -> None:
    with pytest.raises(RunError, match=r"model\.base: 2 → 4"):
        quietly(tiny("train.epochs=2", "model.base=4"), tiles, whole, resume=True)
    with pytest.raises(RunError, match=r"data\.folds: 2 → 3"):
        quietly(tiny("train.epochs=2"), tiles, whole, folds=3, resume=True)


def test_several_processes_are_refused(
    tiles: Path, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="several were started"):
        quietly(tiny(), tiles, tmp_path / "cv")
