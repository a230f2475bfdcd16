"""A short campaign, and that the campaign would see what did not recover."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.contents import files
from tests.kills import campaign as kills
from tests.kills import trials as one_command
from tests.kills.commands import COMMANDS, Command
from tests.kills.warm import ROOT, Starter


@pytest.fixture(autouse=True)
def only_linux() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("finds operations by Linux's paths")


@pytest.mark.parametrize("fault", ["kill", "tear", "twice", "full"])
def test_a_split_recovers(tmp_path: Path, fault: str) -> None:
    done = kills.campaign(["split"], 1, 1, tmp_path, fault=fault, note=lambda line: None)
    faults = done[0].counts.total()
    assert done[0].counts == {"recovered": faults}
    assert 1 <= faults <= 2
    assert not done[0].volatile
    row = f"| all |  | {faults} | {faults} | 0 | 0 | 0 | 0 | 0 |"
    assert kills.table(done).splitlines()[-1] == row


SCRIPT = """
import sys
from pathlib import Path
from tests.helpers.operations import Operations, fail, kill, tear

folder, number, fault = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
faults = {"kill": kill, "full": fail, "tear": tear(3)}
operations = Operations(folder, number, faults[fault], stays=fault == "full")
operations.install()
try:
    (folder / "a").write_text("12345")
except OSError:
    pass
(folder / "a").exists() and (folder / "a").read_text()
(folder / "a").rename(folder / "b")
(folder / "c").mkdir()
(folder / "c").rmdir()
(folder / "b").unlink()
Path("/dev/null").write_text("x")
print(" ".join(operations.seen))
"""


@pytest.mark.parametrize(
    ("number", "fault", "code", "left"),
    [
        (0, "kill", 0, None),
        (2, "kill", -signal.SIGKILL, "12345"),
        (6, "kill", 0, None),
        (1, "tear", -signal.SIGXFSZ, "123"),
        (2, "tear", 0, None),
        (1, "full", 1, None),
        (2, "full", 1, "12345"),
    ],
)
def test_faults_meet_the_operation(
    tmp_path: Path, number: int, fault: str, code: int, left: str | None
) -> None:
    words = [sys.executable, "-c", SCRIPT, str(tmp_path), str(number), fault]
    done = subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == (
        {} if left is None else {"a": left}
    )
    if not code:
        assert done.stdout == "open os.rename os.mkdir os.rmdir os.remove\n"


def test_a_fork_answers_with_code_and_messages_and_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with Starter(tmp_path, tmp_path / "out", tmp_path) as starter:
        code, _, seen = starter.fresh(("recipes",))
        assert (code, seen) == (0, [])
        for _ in range(2):
            code, message = starter.warm(("data", "split", "nowhere", "--out", "out/split.json"))
            assert code == 2
            assert "nowhere" in message
        assert starter.warm(("recipes",)) == (0, "")


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ({"a": "1", "b": "2"}, "recovered"),
        ({"a": "1"}, "different"),
        ({"a": "1", "b": "2", ".a.writing": "3"}, "different"),
        ({"a": "9", "b": "2"}, "different"),
    ],
)
def test_what_is_left_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, str], outcome: str
) -> None:
    trials = object.__new__(one_command.Trials)
    trials._work, trials.expected, trials.volatile = tmp_path, {"a": "1", "b": "2"}, set()
    monkeypatch.setattr(one_command, "files", lambda folder: found)
    assert trials._compared()[0] == outcome
    whole = {"a": "1", "b": "2"}.items() <= found.items()
    assert bool(trials._lost()) != whole


def test_half_a_file_is_seen(tmp_path: Path) -> None:
    trials = object.__new__(one_command.Trials)
    trials._work, trials._command = tmp_path, Command((), lambda folder: None)
    trials._before, trials.volatile = {}, set()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("whole")
    trials.expected = files(tmp_path / "out")
    assert trials._torn() == ""
    (tmp_path / "out" / "a").write_text("who")
    (tmp_path / "out" / ".b").write_text("hidden")
    assert trials._torn() == "a"


@pytest.mark.parametrize(
    ("code", "message", "outcome"),
    [
        (2, "error: out/a cannot be written: No space left on device: 2 kB free\n", "recovered"),
        (2, "error: out/a cannot be written\n", "unnamed"),
        (2, "error: the disk has 2 kB free\n", "unnamed"),
        (1, "Traceback (most recent call last):\n", "traceback"),
        (0, "", "different"),
    ],
)
def test_a_full_disk_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str, outcome: str
) -> None:
    trials = object.__new__(one_command.Trials)
    monkeypatch.setattr(trials, "_torn", str)
    monkeypatch.setattr(trials, "_lost", lambda: "a")
    monkeypatch.setattr(trials, "_completed", lambda: ("recovered", ""))
    assert trials._refused(code, message)[0] == outcome


def test_operations_are_chosen_by_seed() -> None:
    among = list(range(1, 101))
    first = kills.chosen("train", 1, 5, among)
    assert first == kills.chosen("train", 1, 5, among) != kills.chosen("train", 2, 5, among)
    assert len(set(first)) == 5
    assert set(first) <= set(among)
    assert kills.chosen("train", 1, 0, [1, 3]) == kills.chosen("train", 1, 9, [1, 3]) == [1, 3]
    assert all(callable(command.prepare) for command in COMMANDS.values())


def test_times_are_left_out_of_curves_and_states(tmp_path: Path) -> None:
    import torch

    made = []
    for number, (seconds, loss) in enumerate([(1.0, 0.5), (2.0, 0.5), (2.0, 0.25)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "metrics.csv").write_text(f"epoch,val_loss,seconds\n1,{loss},{seconds}\n")
        state = {"cursor": {"seconds": seconds}, "network": {"a": torch.full((2,), loss)}}
        torch.save(state, folder / f"state-00000{number}.pt")
        made.append(files(folder))
    assert made[0] == made[1]
    assert all(made[1][name] != made[2][name] for name in ("metrics.csv", "state-N.pt"))


def test_sizes_of_torn_files_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = object.__new__(one_command.Trials)
    faults: list[dict[str, object]] = []
    monkeypatch.setattr(trials, "_interrupted", lambda *given: faults.extend(given))
    for number in range(1, 9):
        trials.torn(number, np.random.default_rng([1, number]))
    assert len({fault["size"] for fault in faults}) > 2
    assert [fault["number"] for fault in faults] == list(range(1, 9))
