"""A short campaign of kills, and that the campaign would see what did not recover."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kills import campaign as kills
from tests.kills.commands import COMMANDS, Command


@pytest.fixture(autouse=True)
def only_linux() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("finds operations by Linux's paths")


def test_a_split_and_an_import_recover(tmp_path: Path) -> None:
    done = kills.campaign(["split", "import"], 1, 2, tmp_path, note=lambda line: None)
    assert [one.counts["recovered"] for one in done] == [2, 2]
    assert kills.table(done).splitlines()[-1] == "| all |  | 4 | 4 | 0 | 0 | 0 | 0 |"


def test_operations_are_counted_and_the_process_killed_before_one(tmp_path: Path) -> None:
    def run(number: int) -> int:
        script = (
            "import sys; from pathlib import Path; from tests.kills.killed import Counter;"
            f"counter = Counter({str(tmp_path)!r}, {number}); sys.addaudithook(counter);"
            f"folder = Path({str(tmp_path)!r}); (folder / 'a').write_text('1');"
            "(folder / 'a').read_text(); (folder / 'a').rename(folder / 'b');"
            "(folder / 'c').mkdir(); (folder / 'c').rmdir(); (folder / 'b').unlink();"
            "Path('/dev/null').write_text('x'); print(counter.count)"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=kills.ROOT, check=False,
                              capture_output=True, text=True)  # fmt: skip
        assert number or done.stdout.strip() == "5"
        return done.returncode

    assert run(0) == 0
    assert run(2) == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == "1"
    assert run(6) == 0


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
    trials = object.__new__(kills.Trials)
    trials._work, trials.expected, trials.volatile = tmp_path, {"a": "1", "b": "2"}, set()
    monkeypatch.setattr(kills, "_files", lambda folder: found)
    assert trials._compared()[0] == outcome


def test_half_a_file_is_seen(tmp_path: Path) -> None:
    trials = object.__new__(kills.Trials)
    trials._work, trials._command = tmp_path, Command((), lambda folder: None)
    trials._before, trials.volatile = {}, set()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("whole")
    trials.expected = kills._files(tmp_path / "out")
    assert trials._torn() == ""
    (tmp_path / "out" / "a").write_text("who")
    (tmp_path / "out" / ".b").write_text("hidden")
    assert trials._torn() == "a"


def test_operations_are_chosen_by_seed() -> None:
    first = kills.chosen("train", 1, 5, 100)
    assert first == kills.chosen("train", 1, 5, 100) != kills.chosen("train", 2, 5, 100)
    assert len(set(first)) == 5
    assert min(first) >= 1
    assert max(first) <= 100
    assert kills.chosen("train", 1, 0, 3) == kills.chosen("train", 1, 9, 3) == [1, 2, 3]
    assert all(callable(command.prepare) for command in COMMANDS.values())
