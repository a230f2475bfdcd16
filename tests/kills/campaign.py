"""Kills commands, repeats them, and compares what they leave with an undisturbed run."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.kills.commands import COMMANDS, OUT, Command, is_whole, torn_bundles

ROOT = Path(__file__).parents[2]
LIMIT_S = 600
_NUMBER = re.compile(r"state-\d{6}(?=\.pt$)")
"""Of a checkpoint: it counts the saves of all attempts."""
RECOVERED, REFUSED, TRACEBACK, HALF, DIFFERENT = (
    "recovered", "refused", "traceback", "half file", "different"
)  # fmt: skip
COLUMNS = (RECOVERED, REFUSED, TRACEBACK, HALF, DIFFERENT)

Files = dict[str, str]
"""SHA-256 of each file, by its path."""


@dataclass
class Outcomes:
    """What became of the kills of a command.

    Attributes:
        operations: that an undisturbed run does.
        found: the number of the operation and what happened, where it did not recover.
    """

    name: str
    operations: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    found: list[tuple[int, str]] = field(default_factory=list)


class Trials:
    """One command, killed and repeated in copies of its inputs at one and the same path.

    Args:
        command: the command.
        folder: an empty folder.
    """

    def __init__(self, command: Command, folder: Path) -> None:
        self._command, self._work, self._base = command, folder / "work", folder / "base"
        self._record = folder / "count"
        self._home = folder / "home"
        (self._base / OUT).mkdir(parents=True)
        command.prepare(self._base)
        self._before = _files(self._base / OUT)
        first = self._undisturbed()
        self.expected = self._undisturbed()
        self.operations = int(self._record.read_text())
        # what differs from run to run (times, absolute seconds): only its names are compared
        self.volatile = {name for name, hash_ in self.expected.items() if first.get(name) != hash_}

    def kill(self, number: int) -> tuple[str, str]:
        """Kill the command before an operation, and repeat it; the outcome and its details."""
        self._renew()
        code, message = self._run(number)
        if code != -signal.SIGKILL:
            return DIFFERENT, f"it was not killed: {code} {message}"
        if torn := self._torn():
            return HALF, torn
        code, message = self._run(-1)
        if code:
            return (TRACEBACK if "Traceback" in message else REFUSED), message
        return self._compared()

    def _undisturbed(self) -> Files:
        self._renew()
        code, message = self._run(0)
        if code:
            raise RuntimeError(f"{' '.join(self._command.words)} ends with {code}:\n{message}")
        return _files(self._work / OUT)

    def _renew(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.copytree(self._base, self._work)

    def _run(self, number: int) -> tuple[int, str]:
        """Run the command; its exit code and messages. Its children do not outlive it."""
        mark = f"kills-{os.getpid()}-{os.urandom(4).hex()}"
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
            "HOME": str(self._home),
            "OMP_NUM_THREADS": "1",
            "KILLS_MARK": mark,
        }
        words = [sys.executable, "-m", "tests.kills.killed", str(self._work / OUT), str(number)]
        ended = subprocess.run(
            [*words, str(self._record), *self._command.words],
            cwd=self._work, env=environment, capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
        _end_marked(mark)
        return ended.returncode, ended.stderr[-2000:]

    def _torn(self) -> str:
        """A file under its final name that is neither the old one nor the new one."""
        out = self._work / OUT
        if self._command.models:
            return ", ".join(map(str, torn_bundles(out)))
        for name, hash_ in _files(out).items():
            hidden = any(part.startswith(".") for part in Path(name).parts)
            known = (self._before.get(name), self.expected.get(name))
            final = not hidden and name not in self.volatile and any(known)
            if final and hash_ not in known and not is_whole(out / name):
                return name
        return ""

    def _compared(self) -> tuple[str, str]:
        found = _files(self._work / OUT)
        if further := sorted(found.keys() ^ self.expected.keys()):
            return DIFFERENT, f"names: {', '.join(further[:5])}"
        names = self.expected.keys() - self.volatile
        if changed := sorted(name for name in names if found[name] != self.expected[name]):
            return DIFFERENT, f"content: {', '.join(changed[:5])}"
        return RECOVERED, ""


def campaign(
    names: list[str],
    seed: int,
    count: int,
    folder: Path,
    *,
    note: Callable[[str], None] = print,
) -> list[Outcomes]:
    """Kill each command before some of its operations.

    Args:
        names: commands.
        seed: of the choice of operations.
        count: kills of each command; 0 for every operation.
        folder: for all inputs and outputs.
        note: told how each kill ended.
    """
    all_outcomes = []
    for name in names:
        trials = Trials(COMMANDS[name], folder / name)
        outcomes = Outcomes(name, trials.operations)
        for number in chosen(name, seed, count, trials.operations):
            outcome, details = trials.kill(number)
            outcomes.counts[outcome] += 1
            if outcome != RECOVERED:
                outcomes.found.append((number, f"{outcome}: {details}"))
            note(f"{name} {number}/{trials.operations}: {outcome} {details}".rstrip())
        all_outcomes.append(outcomes)
        shutil.rmtree(folder / name)
    return all_outcomes


def chosen(name: str, seed: int, count: int, operations: int) -> list[int]:
    """The operations before which a command is killed, from 1, sorted."""
    if not count or count >= operations:
        return list(range(1, operations + 1))
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return sorted((1 + rng.permutation(operations)[:count]).tolist())


def table(all_outcomes: list[Outcomes]) -> str:
    """The rows of docs/reliability.md."""
    lines = [f"| command | operations | kills | {' | '.join(COLUMNS)} |"]
    lines.append("|---" * (3 + len(COLUMNS)) + "|")
    total: Counter[str] = Counter()
    for one in all_outcomes:
        lines.append(_row(one.name, str(one.operations), one.counts))
        total += one.counts
    return "\n".join([*lines, _row("all", "", total)])


def _row(name: str, operations: str, counts: Counter[str]) -> str:
    cells = [name, operations, str(counts.total()), *(str(counts[column]) for column in COLUMNS)]
    return f"| {' | '.join(cells)} |"


def _files(folder: Path) -> Files:
    return {
        _NUMBER.sub("state-N", str(path.relative_to(folder))): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def _end_marked(mark: str) -> None:
    """End what the killed command has started: processes with this mark in their environment."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                os.kill(int(environ.parent.name), signal.SIGKILL)
        except OSError:
            continue
