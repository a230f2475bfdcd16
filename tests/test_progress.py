"""Progress for a supervising program."""

import json
from pathlib import Path

import pytest

from diapir.progress import PROGRESS_FILE, progress


def test_progress_is_written_to_the_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "progress.json"
    monkeypatch.setenv(PROGRESS_FILE, str(path))
    with progress("predicting", unit="Mpx", per=10.0) as show:
        begun = json.loads(path.read_text())
        assert begun == {
            "doing": "predicting",
            "done": 0.0,
            "total": None,
            "unit": "Mpx",
            "left_s": None,
        }
        show(0, 100)
        show(100, 100)
    ended = json.loads(path.read_text())
    assert (ended["done"], ended["total"], ended["left_s"]) == (10.0, 10.0, 0.0)
    assert [one.name for one in tmp_path.iterdir()] == ["progress.json"]
    assert capsys.readouterr().err == ""


def test_a_file_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "nowhere" / "progress.json"))
    with progress("predicting") as show:
        show(1, 2)
    assert not (tmp_path / "nowhere").exists()
