from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diapir.cli.output import Output


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
