"""`diapir adapt`, and the page docs/adapt.md command by command."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.adaptation.made_block import write_block
from tests.adaptation.made_pictures import write_pictures
from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.helpers.tiny import small_bundle

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adapt.md"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_bundle(tmp_path_factory.mktemp("model") / "small").path


def test_the_commands_of_the_page_run_as_they_stand(
    run_cli: RunCli, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_block(tmp_path, 102, 108)
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    commands = [line.split() for block in blocks for line in block.splitlines()]
    assert [words[1] for words in commands] == ["adapt", "predict", "suggest", "adapt"]
    for _, *words in commands:
        # a tiny model and a few steps, for time's sake
        fast = ["--model", model, "--steps", 2, "--threads", 1] if words[0] == "adapt" else []
        done = run_cli(*words, *fast)
        assert done.code == 0, done.stderr
    assert (tmp_path / "runs" / "both" / "report.html").is_file()
    assert (tmp_path / "salt" / "block.products").is_dir()
    for name in ("report.html", "best", "log.txt", "adapt.json", "last"):
        assert (tmp_path / "runs" / "block" / name).exists()


def test_json_has_scores_and_settings(run_cli: RunCli, model: Path, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures")
    words = ("adapt", pictures, "--labels", pictures, "--out", tmp_path / "run", "--model", model)
    done = run_cli(*words, "--steps", 2, "--threads", 1, "--json")
    assert done.code == 0
    assert done.answer["steps"] == 2
    assert done.answer["settings"]["vertical"] > 0
    assert 0 <= done.answer["after"]["dice"] <= 1
    assert len(done.answer["after"]["ci95"]) == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--steps", "1"), "--steps 1 is out of range"),
        (("--steps", "2.5"), "not a whole number"),
        (("--budget", "fast"), "not a duration"),
        (("--steps", "4", "--budget", "60s"), "both a budget and a number of steps"),
        (("--vertical", "0"), "--vertical 0"),
        (("--replay-share", "1"), "--replay-share 1"),
        (("--model", "nowhere"), "no such model: nowhere"),
        (("--replay", "nowhere.zip"), "nowhere.zip"),
    ],
)
def test_what_cannot_be_done_is_refused_without_a_trace(
    run_cli: RunCli, tmp_path: Path, model: Path, options: tuple[str, ...], told: str
) -> None:
    pictures = write_pictures(tmp_path / "pictures")
    words = ["adapt", pictures, "--labels", pictures, "--out", tmp_path / "run"]
    if "--model" not in options:
        words += ["--model", model]
    done = run_cli(*words, *options)
    assert done.code == 2
    assert told in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


def test_a_survey_that_cannot_be_read_is_named_and_stops_none(
    run_cli: RunCli, model: Path, tmp_path: Path
) -> None:
    lines, labels = tmp_path / "lines", tmp_path / "labels"
    lines.mkdir()
    labels.mkdir()
    amplitude = np.random.default_rng(1).normal(0, 100, (90, 120))
    write_segy(lines / "a.sgy", amplitude, inlines=None)
    amplitude[:, :20] = 1e30
    write_segy(lines / "other.sgy", amplitude, inlines=None)
    (lines / "bad.sgy").write_bytes(b"no data")
    mask = np.zeros((120, 90), np.uint8)
    mask[40:80, 30:60] = 255
    Image.fromarray(mask).save(labels / "a.png")
    words = ("adapt", lines, "--labels", labels, "--out", tmp_path / "run", "--model", model)
    done = run_cli(*words, "--steps", 2, "--threads", 1, "--json")
    assert done.code == 2, done.stderr
    (failed,) = done.answer["failed"]
    assert (failed["name"], failed["path"]) == ("bad", str(lines / "bad.sgy"))
    assert "only 7 bytes" in failed["found"]
    assert f"failed: {failed['path']}: {failed['found']}" in done.stderr
    assert any(f"left out {failed['path']}" in note for note in done.answer["notes"])
    assert any("other.sgy: about 16.7 % of samples are 1e+30" in n for n in done.answer["notes"])
    assert (tmp_path / "run" / "best").is_dir()
    again = run_cli(*words, "--steps", 2, "--threads", 1)
    assert again.code == 2
    assert "already holds this adaptation" in again.stdout
    assert f"failed: {failed['path']}" in again.stdout
