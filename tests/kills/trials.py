"""One command that meets faults and is repeated, compared with an undisturbed run."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import numpy as np

from tests.helpers.contents import Files, files
from tests.kills.commands import Command, is_whole, torn_bundles
from tests.kills.inputs import OUT
from tests.kills.small_disk import SmallDisk
from tests.kills.warm import Starter

RECOVERED, REFUSED, TRACEBACK, HALF, DIFFERENT, UNNAMED = (
    "recovered", "refused", "traceback", "half file", "different", "unnamed"
)  # fmt: skip
COLUMNS = (RECOVERED, REFUSED, TRACEBACK, HALF, DIFFERENT, UNNAMED)
KILLED = {-signal.SIGKILL, -signal.SIGXFSZ}
SIZES = (0, 1, 30, 300, 3000, 30_000)
"""Bytes that a file has when its process ends while it writes it."""
_NAMES_PLACE = re.compile(rf"^error: .*\b{OUT}\b", re.MULTILINE)

Outcome = tuple[str, str, int]
"""One of COLUMNS, details, and how many faults there were: none where a command ended first."""


class Trials:
    """One command, killed and repeated in copies of its inputs at one and the same path.

    Args:
        command: the command.
        folder: an empty folder.
        small: whether it works on a disk of its own, which can be full.
    """

    def __init__(self, command: Command, folder: Path, *, small: bool = False) -> None:
        self._command, self._base = command, folder / "base"
        self._work = folder / "disk" / "work"
        (self._base / OUT).mkdir(parents=True)
        (folder / "disk").mkdir()
        self._disk = SmallDisk(folder / "disk") if small else None
        command.prepare(self._base)
        self._before = files(self._base / OUT)
        self._starter = Starter(self._work, self._work / OUT, folder)
        first, _ = self._undisturbed()
        self.expected, self.seen = self._undisturbed()
        # what differs from run to run (times, absolute seconds): only its names are compared
        self.volatile = {name for name, hash_ in self.expected.items() if first.get(name) != hash_}
        self._renew()
        code, message = self._starter.warm(command.words)
        outcome, details = (TRACEBACK, message) if code else self._compared()
        if outcome != RECOVERED:  # forks have to do as processes of their own do
            raise RuntimeError(f"a fork of a warm server is {outcome}: {details}")

    def close(self) -> None:
        """End the server, and the disk."""
        self._starter.close()
        if self._disk:
            self._disk.close()

    def opens(self) -> list[int]:
        """The operations that open a file."""
        return [number for number, event in enumerate(self.seen, 1) if event == "open"]

    def killed(self, number: int) -> Outcome:
        """Kill the command before an operation."""
        return self._interrupted({"number": number})

    def torn(self, number: int, rng: np.random.Generator) -> Outcome:
        """Kill the command in the middle of a write after an operation."""
        return self._interrupted(
            {"number": number, "fault": "tear", "size": int(rng.choice(SIZES))}
        )

    def killed_twice(self, number: int, rng: np.random.Generator) -> Outcome:
        """Kill the command before an operation, and its repetition before another one."""
        second = int(rng.integers(1, len(self.seen) + 1))
        return self._interrupted({"number": number}, {"number": second})

    def full(self, number: int) -> Outcome:
        """Have all operations fail from one on, as if the disk was full."""
        self._renew()
        return self._refused(*self._starter.warm(self._command.words, number=number, fault="full"))

    def with_room(self, pages: int) -> Outcome:
        """Run the command on a disk with so many pages left; it completes when all are free."""
        assert self._disk
        self._renew()
        self._disk.leave(pages)
        code, message = self._starter.warm(self._command.words)
        self._disk.empty()
        return self._refused(code, message) if code else (*self._compared(), 0)

    def pages(self) -> int:
        """Pages that an undisturbed run leaves in use on a small disk."""
        assert self._disk
        self._renew()
        before = self._disk.used()
        self._starter.warm(self._command.words)
        return self._disk.used() - before

    def _refused(self, code: int, message: str) -> Outcome:
        """What became of a command on a full disk, which is repeated when there is room."""
        if torn := self._torn():
            return HALF, torn, 1
        if code not in (0, 2) or "Traceback" in message:
            return TRACEBACK, message, 1
        if code and not (_NAMES_PLACE.search(message) and " free" in message):
            return UNNAMED, message, 1
        if not code and (lost := self._lost()):
            return DIFFERENT, f"exit 0 without {lost}", 1
        return *self._completed(), 1

    def _interrupted(self, *faults: dict[str, object]) -> Outcome:
        """Run the command with one fault after the other, and at last to its end."""
        self._renew()
        kills = 0
        for fault in faults:
            code, message = self._starter.warm(self._command.words, **fault)
            if code not in KILLED:
                if code:
                    return TRACEBACK if "Traceback" in message else REFUSED, message, kills + 1
                break  # it ended before
            kills += 1
            if torn := self._torn():
                return HALF, torn, kills
        return *self._completed(), kills

    def _completed(self) -> tuple[str, str]:
        code, message = self._starter.warm(self._command.words)
        if code:
            return (TRACEBACK if "Traceback" in message else REFUSED), message
        return self._compared()

    def _undisturbed(self) -> tuple[Files, list[str]]:
        self._renew()
        code, message, seen = self._starter.fresh(self._command.words)
        if code:
            raise RuntimeError(f"{' '.join(self._command.words)} ends with {code}:\n{message}")
        return files(self._work / OUT), seen

    def _renew(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.copytree(self._base, self._work)

    def _torn(self) -> str:
        """A file under its final name that is neither the old one nor the new one."""
        out = self._work / OUT
        if self._command.models:
            return ", ".join(map(str, torn_bundles(out)))
        for name, hash_ in files(out).items():
            hidden = any(part.startswith(".") for part in Path(name).parts)
            known = (self._before.get(name), self.expected.get(name))
            final = not hidden and name not in self.volatile and any(known)
            if final and hash_ not in known and not is_whole(out / name):
                return name
        return ""

    def _lost(self) -> str:
        """A file that an undisturbed run leaves, and that is not as it should be."""
        found = files(self._work / OUT)
        for name, hash_ in self.expected.items():
            if name not in found or (name not in self.volatile and found[name] != hash_):
                return name
        return ""

    def _compared(self) -> tuple[str, str]:
        found = files(self._work / OUT)
        if further := sorted(found.keys() ^ self.expected.keys()):
            return DIFFERENT, f"names: {', '.join(further[:5])}"
        names = self.expected.keys() - self.volatile
        if changed := sorted(name for name in names if found[name] != self.expected[name]):
            return DIFFERENT, f"content: {', '.join(changed[:5])}"
        return RECOVERED, ""
