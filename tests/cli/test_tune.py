from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from diapir import bundle as bundles
from diapir.comparison import evaluate_run
from diapir.errors import RunError
from diapir.evaluation import tuning
from diapir.evaluation.tuning import tune_runs
from tests.cli.conftest import RunCli, train_again
from tests.helpers.faults import forks, killed_at


@pytest.fixture
def runs(folds: tuple[Path, Path], tmp_path: Path) -> list[Path]:
    """Runs of two folds that a test may change."""
    return [Path(shutil.copytree(run, tmp_path / run.parent.name)) for run in folds]


@pytest.fixture
def poor_models_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny models of the tests score less than predicting nothing."""
    monkeypatch.setattr(tuning, "LEAST", -1)


@pytest.mark.usefixtures("poor_models_gain")
def test_a_setting_that_gains_is_written_into_the_models(
    run_cli: RunCli, runs: list[Path], trained: Path, survey: Path, tmp_path: Path
) -> None:
    final = shutil.copytree(trained, tmp_path / "final")
    out = tmp_path / "new" / "tuned.json"
    words = ("tune", *runs, "--data", survey, "--out", out, "--into", final, "--json", "--apply")
    before = [bundles.load(run) for run in [*runs, final]]
    done = run_cli(*words, "--tta", "flip")
    assert done.code == 0, done.stderr
    answer = done.answer
    kept = json.loads(out.read_text(encoding="utf-8"))
    assert kept["chosen"] == answer["chosen"]
    assert answer["data"]["n_images"] == len(list((survey / "images").glob("*.png")))
    assert answer["written"]["tta"] == "flip"
    gains = answer["checked"] > answer["used"]["kaggle_map"]
    assert ("threshold" in answer["written"]) == gains
    for earlier in before:
        bundle = bundles.load(earlier.path)
        update = answer["written"] | {"tuned": bundle.info.tuned}
        assert bundle.info == earlier.info.model_copy(update=update)
        assert bool(bundle.info.tuned) == gains
        assert bundle.info.metrics == earlier.info.metrics
    # the runs now score what the tuning reports for its choice
    evaluated = run_cli("evaluate", *runs, "--data", survey, "--json").answer["metrics"]
    assert evaluated["kaggle_map"] == pytest.approx(answer["chosen"]["kaggle_map"])
    assert run_cli(*words).code == 0  # an earlier tuning is replaced


@pytest.mark.usefixtures("poor_models_gain")
def test_nothing_is_written_into_the_models_without_apply(
    run_cli: RunCli, runs: list[Path], survey: Path, tmp_path: Path
) -> None:
    for run in runs:  # a setting that others beat
        bundles.annotate(bundles.load(run), threshold=0.01)
    before = {path: path.read_bytes() for run in runs for path in run.rglob("*") if path.is_file()}
    out = tmp_path / "tuned.json"
    words = ("tune", *runs, "--data", survey, "--out", out)
    done = run_cli(*words, "--json")
    assert done.answer["written"] == {}
    assert "not written into the models: threshold" in done.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert json.loads(out.read_text(encoding="utf-8"))["applied"] is None
    assert run_cli(*words, "--report").code == 2
    applied = run_cli(*words, "--json", "--apply", "--report").answer
    assert applied["written"]["threshold"] == applied["best"]["threshold"]
    # evaluations say what was tuned on these tiles, and reports are of the new setting
    scored = run_cli("evaluate", *runs, "--data", survey, "--json").answer
    notes = [note for note in scored["notes"] if "was tuned on" in note]
    assert len(notes) == 2
    assert all(f"{applied['checked']:.4f} cross-validated" in note for note in notes)
    assert applied["reports"] == [str(run / "report.html") for run in runs]
    for run in runs:
        info = bundles.load(run).info
        assert info.metrics["threshold"] == info.threshold == applied["written"]["threshold"]
        page = (run / "report.html").read_text(encoding="utf-8")
        assert "was tuned on these tiles" in page


@forks
@pytest.mark.usefixtures("poor_models_gain")
def test_a_killed_tuning_is_completed_by_the_same_command(
    run_cli: RunCli, folds: tuple[Path, Path], survey: Path, tmp_path: Path
) -> None:
    kept = {}
    for name in ("whole", "early", "between", "late"):
        runs = [Path(shutil.copytree(run, tmp_path / name / str(run.parent.name))) for run in folds]
        for run in runs:  # a setting that others beat
            bundles.annotate(bundles.load(run), threshold=0.01, min_area=0)
        out = tmp_path / name / "tuned.json"
        if name != "whole":
            tuned = tune_runs(runs, survey)
            assert tuned.tuning.gains
            # of 12 operations each, opening and renaming: tuned.json, and two files of each model
            moment = {"early": 5, "between": 7, "late": 12}[name]
            assert killed_at(moment, tmp_path / name, lambda tuned=tuned, out=out: tuned.write(out))
            assert json.loads(out.read_text())["applied"] is False
        done = run_cli("tune", *runs, "--data", survey, "--out", out, "--apply")
        assert done.code == 0, done.stderr
        assert "written into 2 models: threshold" in done.stdout
        kept[name] = {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.suffix in (".json", ".md")
        }
        assert json.loads(out.read_text())["applied"] is True
    for name in ("early", "between", "late"):
        assert kept[name] == kept["whole"], name


@pytest.mark.usefixtures("poor_models_gain")
def test_a_tuning_interrupted_in_its_reports_keeps_the_setting_that_was_in_use(
    run_cli: RunCli, runs: list[Path], survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise RunError("interrupted", expected="an end", fix="again")

    for run in runs:
        bundles.annotate(bundles.load(run), threshold=0.01)
    out = tmp_path / "tuned.json"
    words = ("tune", *runs, "--data", survey, "--out", out, "--apply", "--report")
    with monkeypatch.context() as patch:
        patch.setattr(evaluate_run, "evaluate_again", interrupted)
        assert run_cli(*words).code == 2
    kept = json.loads(out.read_text())
    assert kept["applied"] is False
    assert bundles.load(runs[0]).info.threshold != 0.01
    assert run_cli(*words).code == 0
    assert json.loads(out.read_text()) == kept | {"applied": True}


def test_a_model_trained_on_all_tiles_gets_the_metrics_of_the_runs(
    run_cli: RunCli, runs: list[Path], trained: Path, survey: Path, tmp_path: Path
) -> None:
    final = train_again(trained, tmp_path / "all", survey, "data.use_all=true")
    assert not bundles.load(final).info.metrics
    words = ("tune", *runs, "--data", survey, "--out", tmp_path / "tuned.json", "--into", final)
    assert "--into was given without --apply" in run_cli(*words).stderr
    words += ("--apply",)
    done = run_cli(*words)
    assert f"{bundles.load(final).path} was trained on all tiles" in done.stdout
    metrics = bundles.load(final).info.metrics
    evaluated = run_cli("evaluate", *runs, "--data", survey, "--json").answer
    assert metrics["data"] == evaluated["data"] | {"part": "out of fold, of 2 runs for this model"}
    for key in ("kaggle_map", "dice", "soft_dice", "threshold", "ci95"):
        assert metrics[key] == evaluated["metrics"][key]
    assert "out of fold, of 2 runs" in (final / "best" / "card.md").read_text(encoding="utf-8")


def test_runs_without_held_out_tiles_are_refused(
    run_cli: RunCli, trained: Path, runs: list[Path], survey: Path, tmp_path: Path
) -> None:
    everything = train_again(trained, tmp_path / "all", survey, "data.use_all=true")
    other = tmp_path / "other.json"
    other.write_text("[]", encoding="utf-8")
    infos = [(run / "best" / "bundle.json").read_bytes() for run in runs]
    for words, message in (
        ((*runs, trained), "share some tiles"),
        ((runs[0] / "best",), "holds no split.json"),
        ((everything,), "data.use_all"),
        ((runs[0], runs[0]), "same model"),
        ((*runs, "--out", other), "is not the result of an earlier tuning"),
    ):
        given = words if "--out" in words else (*words, "--out", tmp_path / "tuned.json")
        done = run_cli("tune", *given, "--data", survey)
        assert done.code == 2, words
        assert message in done.stderr
        assert not (tmp_path / "tuned.json").exists()
    assert other.read_text(encoding="utf-8") == "[]"
    assert [(run / "best" / "bundle.json").read_bytes() for run in runs] == infos
