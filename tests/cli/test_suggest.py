"""`diapir suggest`."""

from pathlib import Path

from tests.adaptation.made_pictures import write_pictures
from tests.cli.conftest import RunCli
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


def test_a_missing_survey_is_refused(run_cli: RunCli, tmp_path: Path) -> None:
    model = small_bundle(tmp_path / "model").path
    done = run_cli("suggest", model, tmp_path / "nowhere.sgy")
    assert done.code == 2
    assert "does not exist" in done.stderr
