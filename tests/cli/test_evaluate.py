from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir import bundle as bundles
from diapir.errors import install_command
from diapir.evaluation import Evaluation, evaluate_models
from diapir.tiles import Split, load_tiles, read_image
from tests.cli.conftest import RunCli, train_again
from tests.helpers.mosaics import squares, write_sections


def test_a_run_is_evaluated_on_its_own_validation_part(
    run_cli: RunCli, trained: Path, survey: Path
) -> None:
    done = run_cli("evaluate", trained, "--data", survey)
    assert done.code == 0
    assert f"validation part of {trained / 'split.json'}" in done.stdout
    metrics = Evaluation.load(trained / "evaluation").metrics
    low, high = metrics["ci95"]["dice"]
    assert f"{metrics['dice']:.4f}  (95% CI {low:.4f} to {high:.4f})" in done.stdout


def test_python_gives_the_same_and_prints_nothing(
    run_cli: RunCli,
    folds: tuple[Path, Path],
    survey: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = run_cli("evaluate", *folds, "--data", survey, "--json").answer
    done = evaluate_models(folds, survey)
    assert capsys.readouterr() == ("", "")
    assert done.evaluation.metrics == answer["metrics"]
    assert done.evaluation.data == answer["data"]
    assert done.evaluation.model == answer["model"]
    assert "out-of-fold" in done.notes[0]
    assert sorted(done.predictions.tiles.ids) == list(done.predictions.tiles.ids)


def test_a_bundle_is_evaluated_on_the_tiles_it_held_out(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    split = Split.load(trained / "split.json")
    words = ("evaluate", trained / "best", "--data", survey)
    done = run_cli(*words, "--json", "--out", tmp_path / "scores")
    answer = done.answer
    assert answer["data"]["part"] == "held out"
    assert answer["metrics"] == run_cli("evaluate", trained, *words[2:], "--json").answer["metrics"]
    trained_on = len(split.part("train"))
    assert answer["data"]["n_left_out"] == trained_on
    assert answer["data"]["n_training_tiles"] == 0
    (note,) = answer["notes"]
    assert f"{trained_on} of these {len(split.tiles)} tiles are training tiles of" in note
    assert note in done.stderr
    assert note in (tmp_path / "scores" / "report.html").read_text(encoding="utf-8")
    whole = run_cli(*words, "--json", "--all-tiles").answer
    assert whole["data"]["part"] == "all"
    assert whole["metrics"]["n_images"] == len(split.tiles)
    assert whole["data"]["n_training_tiles"] == trained_on
    assert "WARNING" in whole["notes"][0]


def test_training_tiles_are_known_in_any_container(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    """Other names, other formats and a zip: the pixels are the same."""
    train = Split.load(trained / "split.json").part("train")
    for part in ("images", "masks"):
        (tmp_path / "named" / part).mkdir(parents=True)
        for number, path in enumerate(sorted((survey / part).glob("*.png"))):
            Image.open(path).save(tmp_path / "named" / part / f"other{number}.tif")
    shutil.make_archive(str(tmp_path / "zipped"), "zip", survey)
    for data in (tmp_path / "named", tmp_path / "zipped.zip"):
        for model in (trained, trained / "best"):  # the run's split does not fit other names
            done = run_cli("evaluate", model, "--data", data, "--json").answer
            assert done["data"]["n_left_out"] == (
                0 if model == trained and data.suffix else len(train)
            )
            assert done["data"]["n_training_tiles"] == 0


def test_a_run_is_evaluated_on_all_of_other_tiles(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(survey, other)
    for image in (other / "images").glob("*.png"):
        Image.fromarray(255 - read_image(image)).save(image)
    done = run_cli("evaluate", trained, "--data", other)
    assert done.code == 0
    assert f"tiles is a training tile of {trained}" in done.stdout
    assert ", part all: " in done.stdout


def test_a_part_of_a_split(run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path) -> None:
    folds = tmp_path / "folds.json"
    assert run_cli("data", "split", survey, "--out", folds, "--folds", 3).code == 0
    words = ("evaluate", trained, "--data", survey, "--json", "--split")
    answer = run_cli(*words, f"{folds}:fold1").answer
    assert answer["data"]["part"] == "fold1, held out"
    answer = run_cli(*words, f"{folds}:fold1", "--all-tiles").answer
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
    out = tmp_path / "made" / "scores"
    answer = run_cli("evaluate", trained, "--data", survey, "--out", out, "--json").answer
    assert answer["metrics"] == Evaluation.load(out).metrics
    assert answer["report"] == str(out / "report.html")
    assert (out / "report.html").stat().st_size


def test_nothing_is_written_without_out(run_cli: RunCli, trained: Path, survey: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert run_cli("evaluate", trained, "--data", survey).code == 0
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_runs_of_one_split_are_averaged_on_its_validation_part(
    run_cli: RunCli, trained: Path, second: Path, survey: Path, tmp_path: Path
) -> None:
    words = ("evaluate", trained, second, "--data", survey, "--json")
    done = run_cli(*words, "--out", tmp_path / "scores")
    assert "that all 2 runs held out" in done.stderr
    answer = done.answer
    assert answer["data"]["part"] == "val"
    assert answer["model"]["name"].startswith("mean of 2 models")
    alone = [
        run_cli("evaluate", run, "--data", survey, "--json").answer for run in (trained, second)
    ]
    assert answer["model"]["members"] == [one["model"] for one in alone]
    assert answer["data"] == alone[0]["data"]
    assert answer["metrics"] != alone[0]["metrics"]
    report = (tmp_path / "scores" / "report.html").read_text(encoding="utf-8")
    assert "mean of 2 models" in report


def test_folds_are_evaluated_out_of_fold(
    run_cli: RunCli, folds: tuple[Path, Path], survey: Path
) -> None:
    done = run_cli("evaluate", *folds, "--data", survey, "--json")
    assert "out-of-fold evaluation" in done.stderr
    answer = done.answer
    alone = [run_cli("evaluate", run, "--data", survey, "--json").answer for run in folds]
    counts = [one["metrics"]["n_images"] for one in alone]
    assert answer["data"]["part"] == "out of fold"
    assert answer["metrics"]["n_images"] == sum(counts)
    expected = sum(
        count * one["metrics"]["dice_per_image"] for count, one in zip(counts, alone, strict=True)
    )
    assert answer["metrics"]["dice_per_image"] == pytest.approx(expected / sum(counts))


def test_a_part_is_evaluated_out_of_fold(
    run_cli: RunCli, folds: tuple[Path, Path], survey: Path, tmp_path: Path
) -> None:
    both, chosen = tmp_path / "both", tmp_path / "chosen"
    assert run_cli("evaluate", *folds, "--data", survey, "--out", both).code == 0
    split = tmp_path / "random.json"
    assert run_cli("data", "split", survey, "--out", split, "--seed", 9).code == 0
    ids = sorted(Split.load(split).part("train"))
    words = ("evaluate", *folds, "--data", survey, "--split", f"{split}:train", "--out", chosen)
    done = run_cli(*words)
    assert f"out-of-fold evaluation: each of {len(ids)} tiles" in done.stdout
    assert "optimistic" not in done.stdout
    everywhere = {tile.id: tile for tile in Evaluation.load(both).tiles}
    found = Evaluation.load(chosen)
    assert found.data["part"] == "train"
    assert sorted(tile.id for tile in found.tiles) == ids
    assert len(ids) < len(everywhere)
    assert [tile.dice for tile in found.tiles] == [everywhere[tile.id].dice for tile in found.tiles]
    first = f"{folds[0]}/split.json:val"  # the first alone was not trained on it
    words = ("evaluate", "--data", survey, "--split", first, "--json")
    both, alone = run_cli(*words, *folds).answer, run_cli(*words, folds[0]).answer
    assert both["metrics"] == alone["metrics"]


def test_training_tiles_of_a_run_are_counted(
    run_cli: RunCli, trained: Path, second: Path, survey: Path
) -> None:
    own = trained / "split.json"
    count = len(Split.load(own).part("train"))
    for models in ((trained,), (trained, second)):
        words = ("evaluate", *models, "--data", survey, "--split", f"{own}:train")
        refused = run_cli(*words)
        assert refused.code == 2
        assert f"all {count} tiles are training tiles of {trained}" in refused.stderr
        done = run_cli(*words, "--all-tiles")
        assert done.code == 0
        for model in models:
            note = f"{model} was trained on {count} of these {count} tiles; scores are"
            assert note in done.stdout
    held_out = run_cli("evaluate", trained, "--data", survey, "--split", f"{own}:val")
    assert "optimistic" not in held_out.stdout


def test_parts_that_overlap_are_refused(
    run_cli: RunCli, trained: Path, folds: tuple[Path, Path], survey: Path
) -> None:
    done = run_cli("evaluate", trained, *folds, "--data", survey)
    assert done.code == 2
    assert "share some tiles" in done.stderr


def test_a_run_that_was_trained_on_all_tiles_is_named(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    run = train_again(trained, tmp_path, survey, "data.use_all=true")
    refused = run_cli("evaluate", run, "--data", survey)
    assert refused.code == 2
    assert f"tiles are training tiles of {run}" in refused.stderr
    done = run_cli("evaluate", run, "--data", survey, "--all-tiles")
    assert f"WARNING: {run} was trained on" in done.stdout
    assert ", part all: " in done.stdout
    mixed = run_cli("evaluate", run, trained, "--data", survey)
    assert mixed.code == 2
    assert "data.use_all" in mixed.stderr


def test_post_processing_is_the_models_unless_given(
    run_cli: RunCli, trained: Path, survey: Path
) -> None:
    words = ("evaluate", trained, "--data", survey, "--json")
    metrics = run_cli(*words).answer["metrics"]
    assert metrics["threshold"] == 0.5
    assert "min_area" not in metrics
    given = run_cli(*words, "--threshold", 0.3, "--min-area", 50).answer["metrics"]
    assert (given["threshold"], given["min_area"]) == (0.3, 50)
    assert given["soft_dice"] == metrics["soft_dice"]
    assert run_cli(*words, "--threshold", 1).answer["error"]["kind"] == "ConfigError"


def test_groups_make_the_intervals_of_sections(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    names = sorted(path.stem for path in (survey / "images").glob("*.png"))
    rows = [f"{name},{number % 5}" for number, name in enumerate(names)]
    table.write_text("\n".join(["id,group", *rows]), encoding="utf-8")
    words = ("evaluate", trained, "--data", survey, "--json")
    assert run_cli(*words, "--groups", table).answer["data"]["n_groups"] == 5
    assert run_cli(*words).answer["data"]["n_groups"] == 2


def test_scores_are_written_without_the_libraries_of_a_report(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diapir.cli.evaluate.REPORT_PACKAGES", ("jinja2", "not_installed"))
    out = tmp_path / "scores"
    done = run_cli("evaluate", trained, "--data", survey, "--out", out)
    assert done.code == 0
    assert "'not_installed' is not installed" in done.stdout
    assert install_command("report") in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.json", "tiles.csv"]


# in sections


@pytest.fixture
def mosaic(survey: Path, tmp_path: Path) -> Path:
    """Every four tiles of the survey as a section."""
    tiles = load_tiles(survey)
    return write_sections(tmp_path / "mosaic", tiles, squares(tiles.ids))


def test_scores_in_sections_beside_those_of_tiles_alone(
    run_cli: RunCli, trained: Path, survey: Path, mosaic: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    words = ("evaluate", trained, "--data", survey, "--mosaic", mosaic, "--out", out)
    done = run_cli(*words, "--json")
    block = done.answer["in_sections"]
    assert {"dice", "kaggle_map", "ci95", "n_tiles", "n_sections", "flips", "alone"} <= set(block)
    assert block["n_tiles"] == done.answer["metrics"]["n_images"]  # all tiles are in sections
    assert block["alone"]["dice"] == done.answer["metrics"]["dice"]
    assert done.stderr.index("in sections  (95% CI)") < done.stderr.index("Dice per tile")
    # random splits divide sections
    assert "also hold tiles that the model was trained on" in done.stderr
    kept = json.loads((out / "in_sections.json").read_text(encoding="utf-8"))
    assert {key: kept[key] for key in block} == block
    assert len((out / "in_sections.csv").read_text(encoding="utf-8").splitlines()) == (
        block["n_tiles"] + 1
    )
    assert 'id="in-sections"' in (out / "report.html").read_text(encoding="utf-8")
    again = run_cli("evaluate", trained, "--data", survey, "--out", out, "--json")
    assert "in_sections" not in again.answer
    assert not (out / "in_sections.json").exists()  # of another evaluation
    assert again.answer["metrics"]["dice"] == done.answer["metrics"]["dice"]


def test_folds_are_evaluated_out_of_fold_in_sections(
    run_cli: RunCli, folds: tuple[Path, Path], survey: Path, mosaic: Path
) -> None:
    answer = run_cli("evaluate", *folds, "--data", survey, "--mosaic", mosaic, "--json").answer
    block = answer["in_sections"]
    assert block["n_tiles"] == answer["metrics"]["n_images"] == 40
    assert block["n_sections"] == 10
    assert answer["data"]["n_groups"] == 10  # the mosaic's groups


def test_a_mosaic_that_does_not_fit_is_refused(
    run_cli: RunCli, trained: Path, survey: Path, mosaic: Path, tmp_path: Path
) -> None:
    words = ("evaluate", trained, "--data", survey, "--json", "--mosaic")
    assert "holds no mosaic" in run_cli(*words, tmp_path / "none").answer["error"]["found"]
    description = (mosaic / "mosaic.json").read_text()
    content = json.loads(description)
    for section in content["sections"]:
        for tile in section["tiles"]:
            tile["id"] = f"other{tile['id']}"
    (mosaic / "mosaic.json").write_text(json.dumps(content))
    done = run_cli(*words, mosaic)
    assert done.code == 2
    assert "is not a mosaic of survey" in done.answer["error"]["found"]
    (mosaic / "mosaic.json").write_text(description)
    training = write_sections(
        tmp_path / "training",
        load_tiles(survey),
        squares(sorted(Split.load(trained / "split.json").part("train"))),
    )
    done = run_cli(*words, training)
    assert done.code == 2
    assert "no section of" in done.answer["error"]["found"]
    black = np.zeros((202, 202), np.uint8)
    for path in (mosaic / "sections").glob("*.png"):
        Image.fromarray(black).save(path)
    done = run_cli(*words, mosaic)
    assert done.code == 2
    assert "differs from its image" in done.answer["error"]["found"]


def test_an_older_bundle_says_whether_it_held_a_part_out(
    run_cli: RunCli, trained: Path, survey: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(trained / "best", tmp_path / "old"))
    bundles.annotate(bundles.load(old), training_tiles=None)
    words = ("evaluate", old, "--data", survey)
    own = trained / "split.json"
    assert f"tiles is a training tile of {old}" in run_cli(*words, "--split", f"{own}:val").stdout
    assert run_cli(*words, "--split", f"{own}:train").code == 2
    other = tmp_path / "other.json"
    assert run_cli("data", "split", survey, "--out", other, "--seed", 5).code == 0
    for further in ((), ("--split", f"{other}:val")):
        assert "its bundle does not record which" in run_cli(*words, *further).stdout
