from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diapir.cli.output import Output
from tests.cli.conftest import RunCli


def test_lines_for_people_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(json=False) as output:
        output.say("one", "two")
        print("three", file=output.stream)
        output.finish({"number": 1})
    assert capsys.readouterr() == ("one\ntwo\nthree\n", "")


def test_json_leaves_stdout_to_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(json=True) as output:
        output.say("one")
        print("a library's chatter")
        print("a line of the log", file=output.stream)
        output.finish({"number": 1})
    print("after")
    stdout, stderr = capsys.readouterr()
    assert stdout == '{"number": 1}\nafter\n'
    assert stderr == "one\na library's chatter\na line of the log\n"


def test_json_says_numpy_paths_and_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    content = {
        "path": Path("a") / "b",
        "float": np.float32(0.5),
        "count": np.int64(3),
        "empty": float("nan"),
        "row": (1, None, True, np.float64("inf")),
        7: {"inner": "text"},
    }
    with Output(json=True) as output:
        output.finish(content)
    assert json.loads(capsys.readouterr().out) == {
        "path": str(Path("a") / "b"),
        "float": 0.5,
        "count": 3,
        "empty": None,
        "row": [1, None, True, None],
        "7": {"inner": "text"},
    }


def test_quick_work_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(json=False) as output, output.progress("predicting") as progress:
        progress(1, 2)
        progress(2, 2)
    assert capsys.readouterr() == ("", "")


def test_long_work_shows_lines_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("diapir.progress.time.monotonic", lambda: now)
    with Output(json=True) as output, output.progress("predicting") as progress:
        for done in range(1, 5):
            now += 3
            progress(done, 4)
    assert capsys.readouterr() == ("", "predicting 2/4\npredicting 4/4\n")


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Output(json=False) as output, output.progress("predicting") as progress:
        progress(3, 8)
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert "predicting" in stderr
    assert "3/8" in stderr


PAIRED = "_mask"
SCALED = "12 bits"


@pytest.fixture(scope="module")
def renamed(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiles with masks that are named otherwise."""
    folder = tmp_path_factory.mktemp("renamed") / "set"
    for part, ending in (("images", ""), ("masks", "_mask")):
        (folder / part).mkdir(parents=True)
        for path in (survey / part).glob("*.png"):
            shutil.copy(path, folder / part / f"{path.stem}{ending}.png")
    return folder


@pytest.fixture(scope="module")
def twelve_bits(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images in 12 of 16 bits."""
    folder = tmp_path_factory.mktemp("twelve") / "images"
    folder.mkdir()
    for path in sorted((survey / "images").glob("*.png"))[:8]:
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
        Image.fromarray(grey * np.uint16(16)).save(folder / path.name)
    return folder


Words = Callable[[Path, Path, Path, Path], tuple[object, ...]]
COMMANDS: dict[str, tuple[str, Words]] = {
    "mosaic": (PAIRED, lambda set_, _, run, out: ("data", "mosaic", set_, "--out", out)),
    "show": (PAIRED, lambda set_, _, run, out: ("data", "show", set_, "--out", out / "s.png")),
    "split": (PAIRED, lambda set_, _, run, out: (
        "data", "split", set_, "--out", out.with_suffix(".json"),
    )),
    "tune": (PAIRED, lambda set_, _, run, out: (
        "tune", run, "--data", set_, "--out", out / "t.json",
    )),
    "submit": (SCALED, lambda _, images, run, out: (
        "submit", run, "--data", images, "--out", out / "s.csv",
    )),
    "pseudo": (SCALED, lambda _, images, run, out: (
        "data", "pseudo", run, "--data", images, "--out", out, "--low", 0.001, "--high", 0.01,
        "--confident", 0,
    )),
    "export": (SCALED, lambda _, images, run, out: (
        "export", run, "--data", images, "--out", out, "--to", "onnx",
    )),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_how_tiles_were_read_is_said(
    run_cli: RunCli, renamed: Path, twelve_bits: Path, trained: Path, tmp_path: Path, command: str
) -> None:
    said, words = COMMANDS[command]
    done = run_cli(*words(renamed, twelve_bits, trained, tmp_path / "text"))
    assert done.code == 0, done.stderr
    lines = [
        line for line in done.stdout.splitlines() if line.startswith("note: ") and said in line
    ]
    assert len(lines) == 1
    answer = run_cli(*words(renamed, twelve_bits, trained, tmp_path / "json"), "--json").answer
    assert [f"note: {note}" for note in answer["notes"] if said in note] == lines
