from pathlib import Path

import pytest

import diapir
from diapir.errors import ConfigError, DiapirError, RunError


class Recorder:
    def __init__(self, stop_after: int = 99) -> None:
        self.states: list[diapir.EpochState] = []
        self.stop_after = stop_after

    def on_epoch_end(self, state: diapir.EpochState) -> None:
        self.states.append(state)
        if state.epoch == self.stop_after:
            state.stop("enough")


def test_a_run_has_metrics_history_model_and_report(run: diapir.Run) -> None:
    assert (len(run.history), run.stopped) == (2, "epochs")
    assert 0 <= run.metrics["dice"] <= 1
    assert run.best.is_dir()
    assert run.report.is_file()
    assert repr(run).startswith(f"Run({str(run.path)!r}, epoch 2, best ")
    assert diapir.Run(str(run.path)).metrics == run.metrics


def test_nothing_is_printed(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = diapir.train(made / "tiny.yaml", made / "mini", tmp_path / "run", epochs=1)
    assert capfd.readouterr() == ("", "")
    assert "Epoch [1/1]" in (run.path / "log.txt").read_text()


def test_tiles_that_were_read_are_taken_as_they_are(made: Path, tmp_path: Path) -> None:
    tiles = diapir.load_tiles(made / "mini")[:12]
    recorder = Recorder(stop_after=1)
    run = diapir.train(
        diapir.load_recipe(made / "tiny.yaml", {"train.batch": 3}),
        tiles,
        str(tmp_path / "run"),
        epochs=5,
        lr=1e-3,
        overrides=["data.val_fraction=0.5"],
        callbacks=[recorder],
    )
    assert (run.config.train.batch, run.config.train.epochs) == (3, 5)
    assert (run.config.optimizer.lr, run.config.data.val_fraction) == (1e-3, 0.5)
    split = diapir.Split.load(run.path / "split.json")
    assert {*split.part("train"), *split.part("val")} == set(tiles.ids)
    assert (len(recorder.states), run.stopped) == (1, "callback")
    scored = diapir.evaluate(run, data=tiles)
    assert scored.evaluation.metrics["dice"] == run.metrics["dice"]


def test_what_a_run_folder_is_not(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        diapir.Run(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "dice"},
        {"callbacks": [Recorder]},
        {"callbacks": [print]},
        {"model": Recorder},
        {"epochs": 0},
        {"overrides": {"train.batchh": 3}},
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    made: Path, tmp_path: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        diapir.train(made / "tiny.yaml", made / "mini", tmp_path / "run", **wrong)  # type: ignore[arg-type]
    assert not (tmp_path / "run" / "best").exists()


def test_a_second_run_in_the_folder_is_refused(run: diapir.Run, made: Path) -> None:
    with pytest.raises(DiapirError, match="already holds a run"):
        diapir.train(made / "tiny.yaml", made / "mini", run)
