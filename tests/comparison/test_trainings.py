"""Trainings in processes of their own: done, failed, killed, cut off, continued."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from diapir.comparison import trainings as module
from diapir.comparison.display import Display
from diapir.comparison.state import StateFile, TrainingState
from diapir.comparison.trainings import Training, TrainingQueue
from diapir.errors import Interrupted, RunError
from diapir.run.folder import RunFolder

FAKE = '''
"""What `diapir train` does, as far as one who waits for it can see."""
import json, os, pathlib, signal, sys, time

def option(name):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None

run = pathlib.Path(option("--out"))
run.mkdir(parents=True, exist_ok=True)
(run / "config.yaml").touch()
with (run / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")

def save(signum, frame):
    (run / "last").mkdir(exist_ok=True)
    (run / "last" / "manifest.json").write_text("{}")
    time.sleep(0.3)
    sys.exit(128 + signum)

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, save)
if "crash" in sys.argv:
    raise ZeroDivisionError("by nought")
if "refuse" in sys.argv:
    print(json.dumps({"error": {"found": "a bad key", "mend": "a good key"}}))
    sys.exit(2)
if "die" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
(run / "log.txt").write_text("Epoch [3/4] - Loss: 0.5\\nValidation - Loss: 1\\n")
if "wait" in sys.argv:
    (run / "waiting").write_text("")
    time.sleep(60)
if "silent" not in sys.argv:
    (run / "evaluation").mkdir(exist_ok=True)
    (run / "evaluation" / "evaluation.json").write_text("{}")
if "unreported" not in sys.argv:
    (run / "report.html").write_text("")
print(json.dumps({"stopped": "budget", "epochs": 4, "metrics": {"kaggle_map": 0.5, "dice": 0.75}}))
'''


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Trainings by name and what they are to do, with their state file and what people see."""
    script = tmp_path / "train.py"
    script.write_text(FAKE)
    monkeypatch.setattr(module, "TRAIN", (sys.executable, str(script)))
    monkeypatch.setattr(module, "_POLL_S", 0.01)

    def trainings(
        *names: str, budget_s: float | None = None, state: StateFile | None = None
    ) -> tuple[TrainingQueue, StateFile, io.StringIO]:
        stream = io.StringIO()
        state = state or StateFile(tmp_path / "compare.json", {})
        # "linknet-seed42 wait": the run folder, and a word that tells the fake what to do
        queue = []
        for name in names:
            folder, _, word = name.partition(" ")
            model, _, seed = folder.partition("-seed")
            run = tmp_path / "runs" / folder
            queue.append(Training(model, int(seed), run, ("--recipe", model, word)))
        display = Display(stream, total=len(queue), budget_s=budget_s, took_s=[])
        return TrainingQueue(queue, state, budget_s=budget_s, display=display), state, stream

    return trainings


def calls(tmp_path: Path, name: str) -> list[list[str]]:
    path = tmp_path / "runs" / name / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_all_are_run_and_remembered(make: Callable[..., Any], tmp_path: Path) -> None:
    trainings, state, stream = make("a-seed1", "b-seed2")
    trainings.run()

    content = json.loads(state.path.read_text())["trainings"]
    assert [entry["state"] for entry in content.values()] == ["done", "done"]
    assert [entry["stopped"] for entry in content.values()] == ["budget", "budget"]
    assert all(entry["peak_memory"] > 1e6 for entry in content.values())
    assert all(0 < entry["took_s"] < 60 for entry in content.values())
    run = str(tmp_path / "runs" / "b-seed2")
    assert calls(tmp_path, "b-seed2") == [["--recipe", "b", "", "--out", run, "--resume", "--json"]]
    lines = stream.getvalue().splitlines()
    assert lines[0] == "[1/2] a, seed 1: starts"
    assert "[1/2] a, seed 1: done in 1 s: Kaggle mAP 0.5000, Dice 0.7500, 4 full epochs" in lines
    assert lines[2].startswith("[2/2] b, seed 2: starts; all done about ")
    assert len(lines) == 4  # one line an event


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("refuse", "a bad key"),
        ("crash", "exit code 1: ZeroDivisionError: by nought"),
        ("die", "its process was killed by SIGKILL, possibly for lack of memory"),
        ("silent", "exit code 0: no output"),
        ("unreported", "exit code 0: no output"),
    ],
)
def test_a_failure_does_not_stop_the_rest(make: Callable[..., Any], word: str, reason: str) -> None:
    trainings, state, stream = make(f"a-seed1 {word}", "b-seed1")
    trainings.run()

    failed, done = state.trainings["a-seed1"], state.trainings["b-seed1"]
    assert (failed.state, failed.reason) == ("failed", reason)
    assert done.state == "done"
    assert f"[1/2] a, seed 1: FAILED: {reason}\n" in stream.getvalue()
    if word == "refuse":
        assert failed.fix == "a good key"


@pytest.mark.parametrize("lost", ["evaluation/evaluation.json", "report.html"])
def test_what_is_done_is_not_done_again_and_what_failed_is(
    make: Callable[..., Any], tmp_path: Path, lost: str
) -> None:
    first, state, _ = make("a-seed1", "b-seed1 refuse", "c-seed1")
    first.run()
    (tmp_path / "runs" / "c-seed1" / lost).unlink()  # since then
    again, state, stream = make("a-seed1", "b-seed1", "c-seed1", state=state)
    again.run()

    assert [len(calls(tmp_path, f"{name}-seed1")) for name in "abc"] == [1, 2, 2]
    assert {entry.state for entry in state.trainings.values()} == {"done"}
    assert state.trainings["b-seed1"].reason == ""
    assert "[1/3]" not in stream.getvalue()


def budgets(tmp_path: Path, name: str) -> list[str]:
    return [call[call.index("--budget") + 1] for call in calls(tmp_path, name)]


def test_a_training_that_was_cut_off_gets_what_is_left_of_its_budget(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    trainings, state, stream = make("a-seed1", "b-seed1", budget_s=600.0)
    last = tmp_path / "runs" / "a-seed1" / "last"
    last.mkdir(parents=True)
    (last.parent / "config.yaml").touch()
    (last / "manifest.json").write_text("{}")
    saved = (last / "manifest.json").stat().st_mtime
    # it began 200 s before its last save, after 150 s in an attempt before
    state.trainings["a-seed1"] = TrainingState("begun", spent_s=150.0, begun_at=saved - 200)
    trainings.run()

    (left,) = budgets(tmp_path, "a-seed1")
    assert float(left.removesuffix("s")) == pytest.approx(250, abs=0.2)
    assert budgets(tmp_path, "b-seed1") == ["600.0s"]
    assert "[1/2] a, seed 1: resumes after 6 min; all done about" in stream.getvalue()


@pytest.mark.parametrize(("best", "least"), [(True, "1.0s"), (False, "60.0s")])
def test_a_spent_budget_is_enough_to_evaluate(
    make: Callable[..., Any], tmp_path: Path, best: bool, least: str
) -> None:
    trainings, state, _ = make("a-seed1", budget_s=600.0)
    if best:
        (tmp_path / "runs" / "a-seed1" / "best").mkdir(parents=True)
        (tmp_path / "runs" / "a-seed1" / "config.yaml").touch()
    state.trainings["a-seed1"] = TrainingState("waiting", spent_s=700.0)
    trainings.run()
    assert budgets(tmp_path, "a-seed1") == [least]


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.usefixtures("with_terminal")
def test_a_signal_reaches_the_training_once_and_the_rest_waits(
    make: Callable[..., Any], tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    trainings, state, stream = make("a-seed1", "b-seed1 wait", "c-seed1", budget_s=600.0)
    waiting = tmp_path / "runs" / "b-seed1" / "waiting"

    def stop() -> None:
        while not waiting.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signum)

    thread = threading.Thread(target=stop)
    before = signal.getsignal(signum)
    thread.start()
    with pytest.raises(
        Interrupted, match=r"interrupted at training 2 of 3 .*same command"
    ) as ended:
        trainings.run()
    thread.join()

    assert ended.value.exit_code == code
    assert signal.getsignal(signum) == before
    assert (tmp_path / "runs" / "b-seed1" / "last" / "manifest.json").exists()  # it saved itself
    assert calls(tmp_path, "c-seed1") == []
    entry = state.trainings["b-seed1"]
    assert (entry.state, entry.reason) == ("waiting", "")
    assert 0 < entry.spent_s < 60
    assert "stopping after a checkpoint" in stream.getvalue()

    again, _, stream = make("a-seed1", "b-seed1", "c-seed1", state=state)
    again.run()
    assert {entry.state for entry in state.trainings.values()} == {"done"}
    assert len(calls(tmp_path, "a-seed1")) == 1


def test_a_stop_between_two_trainings_begins_no_other(
    make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings, state, _ = make("a-seed1", "b-seed1")
    note = StateFile.note

    def note_and_stop(self: StateFile, name: str, entry: TrainingState) -> None:
        note(self, name, entry)
        if entry.state == "done":
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(StateFile, "note", note_and_stop)
    with pytest.raises(Interrupted):
        trainings.run()
    assert state.trainings["a-seed1"].state == "done"
    assert calls(tmp_path, "b-seed1") == []


def test_a_defect_of_the_display_leaves_no_process_behind(
    make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings, _, _ = make("a-seed1 wait")

    def broken(self: Display, run: Path) -> None:
        if (run / "waiting").exists():
            raise OSError("no terminal any more")

    monkeypatch.setattr(Display, "look", broken)
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    with pytest.raises(OSError, match="no terminal"):
        trainings.run()
    assert (tmp_path / "runs" / "a-seed1" / "last" / "manifest.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_killed_command_takes_its_training_along_which_saves(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    trainings, state, _ = make("a-seed1 wait")
    command = os.fork()
    if not command:
        with suppress(BaseException):
            trainings.run()
        os._exit(1)
    until((tmp_path / "runs" / "a-seed1" / "waiting").exists)
    os.kill(command, signal.SIGKILL)
    os.waitpid(command, 0)
    until((tmp_path / "runs" / "a-seed1" / "last" / "manifest.json").exists)

    again, state, _ = make("a-seed1")
    again.run()
    assert state.trainings["a-seed1"].state == "done"
    assert len(calls(tmp_path, "a-seed1")) == 2


def until(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_training_that_is_saving_is_waited_for(make: Callable[..., Any], tmp_path: Path) -> None:
    trainings, state, _ = make("a-seed1")
    run = tmp_path / "runs" / "a-seed1"
    run.mkdir(parents=True)
    (run / "config.yaml").touch()
    lock = FileLock(run / ".lock", thread_local=False)
    lock.acquire()
    saved = threading.Timer(0.3, lock.release)
    saved.start()
    trainings.run()
    saved.join()
    assert state.trainings["a-seed1"].state == "done"


def test_a_training_that_has_outlived_its_command_is_not_joined(
    make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAVE_S", 0.1)
    trainings, _, _ = make("a-seed1", "b-seed1")
    with (
        RunFolder(tmp_path / "runs" / "a-seed1", resume=True),
        pytest.raises(RunError, match=f"in use by process {os.getpid()}"),
    ):
        trainings.run()
    assert calls(tmp_path, "b-seed1") == []
