"""`diapir suggest`."""

from pathlib import Path

import numpy as np
import pytest

from tests.adaptation.made_pictures import write_pictures
from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.helpers.tiny import small_bundle


def test_lines_are_named_in_order(run_cli: RunCli, tmp_path: Path) -> None:
    model = small_bundle(tmp_path / "model").path
    write_pictures(tmp_path / "pictures", 3)
    done = run_cli("suggest", model, tmp_path / "pictures", "--top", 2, "--json")
    assert done.code == 0
    sections = done.answer["sections"]
    assert len(sections) == 2
    assert sections[0]["doubt"] >= sections[1]["doubt"]
    shown = run_cli("suggest", model, tmp_path / "pictures")
    assert shown.stdout.index(sections[0]["name"]) < shown.stdout.index(sections[1]["name"])
    assert "predicted as salt" in shown.stdout


def test_a_model_that_is_sure_of_all_names_nothing(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_bundle(tmp_path / "model").path
    write_pictures(tmp_path / "pictures", 3)
    monkeypatch.setattr(
        "diapir.inference.Predictor.probabilities",
        lambda self, images: [np.zeros(images[0].shape, np.float32)],
    )
    done = run_cli("suggest", model, tmp_path / "pictures")
    assert done.code == 0
    assert "the model is sure of 3 of 3 sections" in done.stdout
    assert done.stdout.splitlines()[-1] == "No section is in doubt"
    answer = run_cli("suggest", model, tmp_path / "pictures", "--json").answer
    assert answer["sections"] == []
    assert "sure of 3 of 3 sections" in answer["notes"][0]


def test_a_missing_survey_is_refused(run_cli: RunCli, tmp_path: Path) -> None:
    model = small_bundle(tmp_path / "model").path
    done = run_cli("suggest", model, tmp_path / "nowhere.sgy")
    assert done.code == 2
    assert "does not exist" in done.stderr


def test_notes_of_surveys_are_told_and_a_bad_one_stops_none(
    run_cli: RunCli, tmp_path: Path
) -> None:
    model = small_bundle(tmp_path / "model").path
    lines = tmp_path / "lines"
    lines.mkdir()
    amplitude = np.random.default_rng(1).normal(0, 100, (40, 60))
    amplitude[:, :9] = 1e30
    write_segy(lines / "a.sgy", amplitude, inlines=None)
    (lines / "b.sgy").write_bytes(b"no data")
    done = run_cli("suggest", model, lines, "--json")
    assert done.code == 2
    assert any("a.sgy: about 15.0 % of samples are 1e+30" in one for one in done.answer["notes"])
    (failed,) = done.answer["failed"]
    assert (failed["name"], failed["path"]) == ("b", str(lines / "b.sgy"))
    assert "only 7 bytes" in failed["found"]
    assert f"failed: {lines / 'b.sgy'}: {failed['found']}" in done.stderr
    assert [one["name"] for one in done.answer["sections"]] == ["a"]
    alone = run_cli("suggest", model, lines / "b.sgy")
    assert alone.code == 2
    assert "only 7 bytes" in alone.stderr
