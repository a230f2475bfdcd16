"""Adapting a tiny model to made pictures: what is written, resumed, refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir import bundle as bundles
from diapir.adaptation import Adaptation, AdaptOptions, adapt, adapt_job, step_plan
from diapir.adaptation.adapt_display import Display
from diapir.adaptation.adapt_job import AdaptJob
from diapir.adaptation.pace import Pace
from diapir.bundle import Fingerprints
from diapir.errors import BundleError, ConfigError, DataError, Interrupted, RunError
from diapir.inference import Predictor, predict_images
from diapir.tiles import load_tiles, read_image
from tests.adaptation.made_pictures import made_section, write_pictures
from tests.helpers.exports import exported
from tests.helpers.tile_sets import write_tiles
from tests.helpers.tiny import small_bundle

LONG = AdaptOptions(steps=60, threads=1)
FAST = AdaptOptions(steps=6, vertical=1, threads=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("model") / "small").path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="module")
def adapted(model: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Adaptation:
    """Enough steps to learn the made salt."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return adapt(pictures, pictures, out, model=model, options=LONG)


def weights(run: Path) -> dict[str, np.ndarray]:
    return bundles.load(run).tensors()


def test_the_model_learns_the_labels(adapted: Adaptation) -> None:
    assert adapted.before is not None
    assert adapted.after is not None
    assert adapted.after.dice > 0.8 > adapted.before.dice
    assert adapted.steps == LONG.steps


def test_it_generalises_to_pictures_without_labels(adapted: Adaptation, tmp_path: Path) -> None:
    grey, mask = made_section(2)
    Image.fromarray(grey).save(tmp_path / "line2.png")
    predict_images(Predictor.load(adapted.run), [tmp_path / "line2.png"], tmp_path / "out")
    found = read_image(tmp_path / "out" / "mask" / "line2.png") > 0
    assert found.shape == mask.shape
    assert 2 * (found & (mask == 1)).sum() / (found.sum() + mask.sum()) > 0.8


def test_the_bundle_says_where_it_comes_from(adapted: Adaptation, model: Path) -> None:
    info = bundles.load(adapted.run).info
    assert info.training["adapted from"] == "small"
    assert info.training["steps"] == LONG.steps
    assert info.metrics["dice"] == pytest.approx(adapted.after.dice if adapted.after else 0)
    assert info.threshold == adapted.threshold
    assert info.survey is not None
    assert info.survey.model_dump() == adapted.settings
    assert info.weights_sha256 != bundles.load(model).info.weights_sha256


def test_the_run_folder_is_complete(adapted: Adaptation) -> None:
    names = {path.name for path in adapted.run.iterdir() if not path.name.startswith(".")}
    assert names == {"adapt.json", "best", "last", "log.txt", "report.html"}
    log = (adapted.run / "log.txt").read_text(encoding="utf-8")
    assert "Held out: traces" in log
    assert "Stage 2 of 2" in log


def test_the_report_shows_figures_and_pictures(adapted: Adaptation) -> None:
    page = (adapted.run / "report.html").read_text(encoding="utf-8")
    assert adapted.after is not None
    assert f"{adapted.after.dice:.3f}" in page
    assert page.count("data:image/png") == 2
    assert "held out" in page
    assert "Adapted model" in page


def test_a_finished_run_is_not_repeated(adapted: Adaptation, model: Path, pictures: Path) -> None:
    said: list[str] = []
    again = adapt(
        pictures,
        pictures,
        adapted.run,
        model=model,
        options=LONG,
        display=Display(said.append),
    )
    assert again == adapted
    assert "nothing to do" in said[-1]


def test_other_options_are_refused_in_the_same_folder(
    adapted: Adaptation, model: Path, pictures: Path
) -> None:
    with pytest.raises(RunError, match="different steps"):
        adapt(pictures, pictures, adapted.run, model=model, options=FAST)


def test_steps_and_seed_reproduce_the_model(model: Path, pictures: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        adapt(pictures, pictures, tmp_path / name, model=model, options=FAST)
    one, other = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("stop_at", [1, 3, 5])  # in each stage
def test_an_interrupted_adaptation_resumes_exactly(
    model: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_at: int,
) -> None:
    monkeypatch.setattr(adapt_job, "teaches", lambda *_: (True, 1.0))
    adapt(pictures, pictures, tmp_path / "straight", model=model, options=FAST)
    log = (tmp_path / "straight" / "log.txt").read_text(encoding="utf-8")
    assert "Pseudo-labels: 2 sections without labels" in log
    assert "Stage 3 of 3" in log
    obey = AdaptJob._obey

    def stop(job: AdaptJob, progressed) -> None:  # type: ignore[no-untyped-def]
        if progressed.total == stop_at:
            job._stopping.signum = 15
        obey(job, progressed)

    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(AdaptJob, "_obey", stop)
        with pytest.raises(Interrupted, match=r"checkpoint saved; resume with: the same call") as e:
            adapt(pictures, pictures, out, model=model, options=FAST)
    assert e.value.exit_code == 128 + 15
    assert not (out / "best").exists()
    said: list[str] = []
    result = adapt(pictures, pictures, out, model=model, options=FAST, display=Display(said.append))
    assert any(line.startswith("Resumed in stage") for line in said)
    assert result.steps == 6
    one, other = weights(tmp_path / "straight"), weights(out)
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_model_that_finds_no_salt_teaches_nothing(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    adapt(pictures, pictures, tmp_path / "run", model=model, options=FAST)
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert "Pseudo-labels: none" in log
    assert "Stage 2 of 2" in log


def test_the_bundle_knows_the_tiles_of_the_original_and_of_replay(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    base = bundles.load(Path(shutil.copytree(model, tmp_path / "model")))
    bundles.annotate(base, training_tiles=Fingerprints.of(["01" * 8]), min_area=5)
    options = AdaptOptions(steps=2, vertical=1, threads=1)
    replayed = write_tiles(tmp_path / "tiles", count=3)
    adapt(
        *(pictures, pictures, tmp_path / "run"),
        model=base.path,
        replay=replayed,
        options=options,
    )
    known = {"01" * 8, *load_tiles(replayed).fingerprints}
    assert bundles.read_info(tmp_path / "run").training_tiles == Fingerprints.of(known)


def test_a_whole_picture_is_held_out_of_several(model: Path, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", labelled=(0, 1))
    result = adapt(pictures, pictures, tmp_path / "run", model=model, options=FAST)
    assert result.held_out in ("line0", "line1")
    assert set(result.places) == {"line0", "line1"}


def test_settings_of_the_survey_travel_in_the_bundle(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    options = AdaptOptions(steps=2, vertical=2, horizontal=0.5, threads=1)
    adapt(pictures, pictures, tmp_path / "run", model=model, options=options)
    predictor = Predictor.load(tmp_path / "run")
    survey = predictor.bundle.info.survey
    assert survey is not None
    assert (survey.vertical, survey.horizontal, survey.clip) == (2, 0.5, None)
    predict_images(predictor, [pictures / "line1.png"], tmp_path / "out")
    found = read_image(tmp_path / "out" / "mask" / "line1.png")
    assert found.shape == read_image(pictures / "line1.png").shape


def test_a_budget_is_turned_into_steps(
    model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # how many, the clock decides: see test_pace
    monkeypatch.setattr(Pace, "steps", lambda self, *, done, **rest: done + 2)
    result = adapt(pictures, pictures, tmp_path / "run", model=model, budget_s=60)
    assert result.steps == 3 + 2 + 1 + 2
    assert (tmp_path / "run" / "best" / "bundle.json").is_file()


def test_without_a_budget_a_slow_machine_still_does_half_of_the_steps(
    model: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_plan, "MOST_STEPS", 20)
    monkeypatch.setattr(Pace, "elapsed", 3600.0)
    result = adapt(pictures, pictures, tmp_path / "run", model=model)
    assert result.steps == 4 + 8  # of 9 in the first stage, and of the 16 that are left


def test_a_budget_shorter_than_a_step_leaves_nothing(
    model: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="too short") as e:
        adapt(pictures, pictures, tmp_path / "run", model=model, budget_s=0.01)
    assert "--steps" in e.value.fix
    assert not (tmp_path / "run").exists()


def test_an_exported_model_is_refused(model: Path, pictures: Path, tmp_path: Path) -> None:
    export = exported(bundles.load(model), "onnx")
    with pytest.raises(BundleError, match="cannot be trained"):
        adapt(pictures, pictures, tmp_path / "run", model=export.path)
    assert not (tmp_path / "run").exists()


def test_labels_of_one_class_are_refused(model: Path, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", labelled=())
    empty = np.zeros_like(made_section(0)[1])
    empty[:5] = 255
    empty[5:, :] = 0
    Image.fromarray(np.zeros_like(empty)).save(pictures / "line0_salt.png")
    with pytest.raises(DataError):
        adapt(pictures, pictures, tmp_path / "run", model=model, options=FAST)
    assert not (tmp_path / "run").exists()


def test_labels_of_another_size_are_refused(model: Path, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures")
    mask = read_image(pictures / "line0_salt.png")
    Image.fromarray(mask[:-4]).save(pictures / "line0_salt.png")
    with pytest.raises(DataError, match="has 60"):
        adapt(pictures, pictures, tmp_path / "run", model=model, options=FAST)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_refused(model: Path, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="not a run folder"):
        adapt(pictures, pictures, tmp_path / "run", model=model, options=FAST)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_budget_and_steps_exclude_each_other(model: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both"):
        adapt(pictures, pictures, tmp_path / "run", model=model, budget_s=5, options=FAST)


def test_a_checkpoint_survives_a_kill_before_the_result(
    adapted: Adaptation, model: Path, pictures: Path, tmp_path: Path
) -> None:
    """As a kill between the last step and the result leaves it: the same call finishes."""
    run = tmp_path / "run"
    shutil.copytree(adapted.run, run)
    shutil.rmtree(run / "best")
    content = json.loads((run / "adapt.json").read_text(encoding="utf-8"))
    (run / "adapt.json").write_text(json.dumps(content | {"finished": None}), encoding="utf-8")
    result = adapt(pictures, pictures, run, model=model, options=LONG)
    assert result.after == adapted.after
    one, other = weights(adapted.run), weights(run)
    assert all(np.array_equal(one[name], other[name]) for name in one)
