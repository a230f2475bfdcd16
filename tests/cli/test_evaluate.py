from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from diapir.evaluation import Evaluation
from diapir.tiles import read_image
from tests.cli.conftest import RunCli


def test_a_run_is_judged_on_its_own_validation_part(
    run_cli: RunCli, trained: Path, survey: Path
) -> None:
    done = run_cli("evaluate", trained, "--data", survey)
    assert done.code == 0
    assert "`val`" in done.stdout
    metrics = Evaluation.load(trained / "evaluation").metrics
    low, high = metrics["ci95"]["dice"]
    assert f"{metrics['dice']:.4f}  (95 %: {low:.4f} to {high:.4f})" in done.stdout


def test_a_bundle_is_judged_on_all_tiles(run_cli: RunCli, trained: Path, survey: Path) -> None:
    answer = run_cli("evaluate", trained / "best", "--data", survey, "--json").answer
    assert answer["data"]["part"] == "all"
    assert answer["metrics"]["n_images"] == len(list((survey / "images").glob("*.png")))


def test_a_run_is_judged_on_all_of_other_tiles(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(survey, other)
    image = min((other / "images").glob("*.png"))
    Image.fromarray(255 - read_image(image)).save(image)
    done = run_cli("evaluate", trained, "--data", other)
    assert done.code == 0
    assert "judged on all its tiles" in done.stdout
    assert ", part all: " in done.stdout


def test_a_part_of_a_split(run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path) -> None:
    folds = tmp_path / "folds.json"
    assert run_cli("data", "split", survey, "--out", folds, "--folds", 3).code == 0
    words = ("evaluate", trained, "--data", survey, "--json", "--split")
    answer = run_cli(*words, f"{folds}:fold1").answer
    assert answer["data"]["part"] == "fold1"
    wrong = run_cli(*words, f"{folds}:fold9")
    assert wrong.code == 2
    assert "fold0" in wrong.answer["error"]["expected"]
    for formless in (folds, f"{folds}:", ":val"):
        done = run_cli(*words, formless)
        assert done.code == 2
        assert done.answer["error"]["kind"] in {"ConfigError", "SplitError"}


def test_out_keeps_the_evaluation_and_a_report(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made" / "judged"
    answer = run_cli("evaluate", trained, "--data", survey, "--out", out, "--json").answer
    assert answer["metrics"] == Evaluation.load(out).metrics
    assert answer["report"] == str(out / "report.html")
    assert (out / "report.html").stat().st_size


def test_nothing_is_written_without_out(run_cli: RunCli, trained: Path, survey: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert run_cli("evaluate", trained, "--data", survey).code == 0
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before
