"""Trainings one after the other, each in a process of its own.

A process of its own keeps the failure of one training from the others and tells its peak memory;
one after the other, so that none takes time from another. A training that was cut off continues
from its last save, with what is left of its budget; one that failed is tried again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import IO, Any

from diapir.comparison.display import Display
from diapir.comparison.state import Entry, Ledger
from diapir.errors import Interrupted
from diapir.run.folder import RunFolder
from diapir.text import plural

TRAIN = (sys.executable, "-m", "diapir", "train")
_POLL_S = 0.1
_LOOK_S = 1.0
"""Seconds between two looks at the log of the training that is on."""
SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if os.name == "posix" else [])]
"""What asks the program to stop."""


@dataclass(frozen=True)
class Training:
    """One training of a comparison.

    Attributes:
        model: what it trains.
        seed: its seed.
        run: its run folder.
        words: what follows `diapir train`, but for --out, --resume and --budget.
    """

    model: str
    seed: int
    run: Path
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """By which it is remembered."""
        return self.run.name


class Trainings:
    """Runs trainings that are not done yet.

    Args:
        trainings: in the order they are run.
        ledger: where their state is kept.
        budget_s: seconds of each; None where the recipe's epochs end it.
        display: shows which is on.
    """

    def __init__(
        self,
        trainings: Sequence[Training],
        ledger: Ledger,
        *,
        budget_s: float | None,
        display: Display,
    ) -> None:
        self._trainings = trainings
        self._ledger = ledger
        self._budget_s = budget_s
        self._display = display
        self._process: subprocess.Popen[bytes] | None = None
        self._signum = 0

    def run(self) -> None:
        """Run what is left, whatever becomes of each.

        Raises:
            Interrupted: a signal came; the training that was on has saved itself.
            RunError: a run folder is in use.
            OSError: `compare.json` cannot be written.
        """
        with self._forwarding(), self._display:
            for training in self._trainings:
                entry = self._ledger.entries.setdefault(training.name, Entry())
                if entry.state != "done" or not is_judged(training.run):
                    self._stop_where_asked(training)
                    self._train(training)
                    self._stop_where_asked(training)

    def _train(self, training: Training) -> None:
        run = training.run
        if run.exists():
            # a training that has outlived its command would take time from the others
            with RunFolder(run, resume=True):
                pass
        entry = self._ledger.entries[training.name].settled(run)
        left_s = None if self._budget_s is None else self._budget_s - entry.spent_s
        self._ledger.note(training.name, replace(entry, state="begun", begun_at=time.time()))
        number = self._trainings.index(training) + 1
        self._display.start(training.model, training.seed, number, entry.spent_s)
        command = [*TRAIN, *training.words, "--out", str(run), "--resume", "--json"]
        if left_s is not None:
            # without a judged model one must come out, however little is left
            least = 1.0 if (run / "best").is_dir() else 0.1 * (self._budget_s or 0)
            command += ["--budget", f"{max(left_s, least):.1f}s"]
        started = time.monotonic()
        run.parent.mkdir(parents=True, exist_ok=True)
        ended = self._child(command, lambda: self._display.look(run))
        entry = replace(
            self._ledger.entries[training.name],
            took_s=entry.took_s + time.monotonic() - started,
            ended=datetime.now().astimezone().isoformat(timespec="seconds"),
            peak_memory=max(filter(None, (entry.peak_memory, ended.peak_memory)), default=None),
        )
        if ended.code == 0 and is_judged(run):
            entry = replace(
                entry, state="done", stopped=str(ended.answer.get("stopped", "")), reason=""
            )
            self._ledger.note(training.name, entry)
            self._display.done(_result(ended.answer), entry.took_s)
            return
        entry = entry.settled(run)
        if not self._signum:
            reason, fix = ended.reason()
            entry = replace(entry, state="failed", reason=reason, fix=fix)
            self._display.failed(reason)
        self._ledger.note(training.name, entry)

    def _child(self, command: Sequence[str], look: Callable[[], None]) -> _Ended:
        """Run a command to its end; `look` is called now and then."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as told:
            # in a session of its own Ctrl-C reaches it through us alone, and so only once
            process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=told, start_new_session=True
            )
            self._process = process
            if self._signum:  # it came while there was nobody to hand it on to
                self._hand_on(process)
            peak = None
            told_to_stop = False
            next_look = 0.0
            try:
                while process.returncode is None:
                    if self._signum and not told_to_stop:
                        told_to_stop = True
                        self._display.stopping()
                    if time.monotonic() >= next_look:
                        look()
                        next_look = time.monotonic() + _LOOK_S
                    time.sleep(_POLL_S)
                    peak = _reap(process)
            finally:
                self._process = None
                if process.returncode is None:  # a defect of ours is no reason to leave it alone
                    process.terminate()
                    process.wait()
            return _Ended(process.returncode, peak, _text(out), _text(told))

    def _stop_where_asked(self, training: Training) -> None:
        if self._signum:
            place = self._trainings.index(training) + 1
            raise Interrupted(
                self._signum,
                f"stopped at training {place} of {len(self._trainings)} ({training.name}) and "
                "saved; the same command continues",
            )

    @contextmanager
    def _forwarding(self) -> Iterator[None]:
        """Hand signals on to the training that is on instead of dying of them."""

        def forward(signum: int, frame: FrameType | None) -> None:
            self._signum = signum
            if self._process is not None:
                self._hand_on(self._process)

        before = {number: signal.signal(number, forward) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hand_on(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT if self._signum == signal.SIGINT else signal.SIGTERM)


def is_judged(run: Path) -> bool:
    """Whether a run folder holds the evaluation of its best model."""
    return (run / "evaluation" / "evaluation.json").is_file()


@dataclass(frozen=True)
class _Ended:
    """How a process ended, and all it said."""

    code: int
    peak_memory: int | None
    out: str
    told: str

    @property
    def answer(self) -> Mapping[str, Any]:
        """The JSON object it printed; empty where it printed none."""
        try:
            content = json.loads(self.out)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def reason(self) -> tuple[str, str]:
        """Why it failed, and what to do about it."""
        error = self.answer.get("error")
        if isinstance(error, dict):
            return str(error.get("found", "")), str(error.get("mend", ""))
        if self.code < 0:
            name = signal.Signals(-self.code).name
            memory = ", as the system does where memory runs out" if name == "SIGKILL" else ""
            return f"its process was ended by {name}{memory}", "smaller train.batch, or more memory"
        last = (self.told.strip().splitlines() or ["it said nothing"])[-1]
        return f"exit code {self.code}: {last}", "its log.txt tells how far it came"


def _result(answer: Mapping[str, Any]) -> str:
    """What a training says of itself at its end, for one line."""
    metrics = answer.get("metrics", {})
    scores = f"Kaggle mAP {metrics.get('kaggle_map', 0):.4f}, Dice {metrics.get('dice', 0):.4f}"
    return f"{scores}, {plural(answer.get('epochs', 0), 'whole epoch')}"


def _reap(process: subprocess.Popen[bytes]) -> int | None:
    """Set the process's return code if it has ended; its peak memory in bytes, if that is known."""
    if sys.platform == "win32":
        process.poll()
        return None
    pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    if not pid:
        return None
    process.returncode = os.waitstatus_to_exitcode(status)
    # kilobytes, but on macOS bytes
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")
