"""Trainings one after the other, each in a process of its own.

A separate process isolates failures and reports its peak memory; running them one after the other
keeps them from slowing each other down. An interrupted training resumes from its last checkpoint
with the rest of its budget; a failed one is tried again.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from diapir.comparison.display import Display
from diapir.comparison.signals import handled
from diapir.comparison.state import StateFile, TrainingState
from diapir.errors import Interrupted
from diapir.evaluation.result import SCORES
from diapir.run.folder import BEST, EVALUATION, LOG, REPORT, RunFolder
from diapir.text import plural

TRAIN = (sys.executable, "-m", "diapir", "train")
SAVE_S = 30.0
"""Seconds that a training may take to save and end once its command has been killed."""
_POLL_S = 0.1
_PR_SET_PDEATHSIG = 1
"""Of `prctl` in Linux: the signal that a process gets when its parent ends."""
_LOOK_S = 1.0
"""Seconds between two looks at the log of the current training."""


@dataclass(frozen=True)
class Training:
    """One training of a comparison.

    Attributes:
        model: name of the model.
        seed: its seed.
        run: its run folder.
        words: arguments of `diapir train` other than --out, --resume, --budget and --json.
    """

    model: str
    seed: int
    run: Path
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """Key of this training in the state file."""
        return self.run.name


class TrainingQueue:
    """Runs the trainings that are not done yet.

    Args:
        trainings: in the order they are run.
        state: where their states are kept.
        budget_s: seconds of each; None if the recipe's epochs end it.
        display: shows the current one.
    """

    def __init__(
        self,
        trainings: Sequence[Training],
        state: StateFile,
        *,
        budget_s: float | None,
        display: Display,
    ) -> None:
        self._trainings = trainings
        self._state = state
        self._budget_s = budget_s
        self._display = display
        self._process: subprocess.Popen[bytes] | None = None
        self._signum = 0

    def run(self) -> None:
        """Run every training that is not done; a failure does not stop the rest.

        Raises:
            Interrupted: a signal came; the current training has saved a checkpoint.
            RunError: a run folder is in use.
            OSError: `compare.json` cannot be written.
        """
        with handled(self._forward), self._display:
            for training in self._trainings:
                known = self._state.trainings.setdefault(training.name, TrainingState())
                if known.state != "done" or not is_evaluated(training.run):
                    self._stop_if_asked(training)
                    self._train(training)
                    self._stop_if_asked(training)

    def _train(self, training: Training) -> None:
        run = training.run
        if run.exists():
            # a training whose command was killed saves and ends; one that goes on is not joined by
            # another: each would slow down the other
            with RunFolder(run, resume=True, wait_s=SAVE_S):
                pass
        begun = self._state.trainings[training.name].settled(run)
        self._state.note(training.name, replace(begun, state="begun", begun_at=time.time()))
        number = self._trainings.index(training) + 1
        self._display.start(training.model, training.seed, number, begun.spent_s)
        run.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        ended = self._child(self._command(training, begun), lambda: self._display.look(run))
        self._note_end(training, ended, time.monotonic() - started)

    def _command(self, training: Training, begun: TrainingState) -> list[str]:
        """The command that trains, with the rest of the budget."""
        words = [*TRAIN, *training.words, "--out", str(training.run), "--resume", "--json"]
        if self._budget_s is not None:
            # without a best model yet, enough time to get one, however little is left
            least_s = 1.0 if (training.run / BEST).is_dir() else 0.1 * self._budget_s
            words += ["--budget", f"{max(self._budget_s - begun.spent_s, least_s):.1f}s"]
        return words

    def _note_end(self, training: Training, ended: _Ended, took_s: float) -> None:
        """Keep and show how an attempt ended."""
        known = self._state.trainings[training.name]
        known = replace(
            known,
            took_s=known.took_s + took_s,
            ended=datetime.now().astimezone().isoformat(timespec="seconds"),
            peak_memory=max(filter(None, (known.peak_memory, ended.peak_memory)), default=None),
        )
        if ended.code == 0 and is_evaluated(training.run):
            stopped = str(ended.answer.get("stopped", ""))
            known = replace(known, state="done", stopped=stopped, reason="")
            self._state.note(training.name, known)
            self._display.done(_result(ended.answer), known.took_s)
            return
        known = known.settled(training.run)
        if not self._signum:
            reason, fix = ended.reason()
            known = replace(known, state="failed", reason=reason, fix=fix)
            self._display.failed(reason)
        self._state.note(training.name, known)

    def _child(self, command: Sequence[str], look: Callable[[], None]) -> _Ended:
        """Run a command to its end; `look` is called now and then."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            # in a session of its own, so that Ctrl-C reaches it only once, through us
            process = subprocess.Popen(  # noqa: S603 - our own program
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=_ends_with_us(),
            )
            self._process = process
            if self._signum:  # it came before there was a process to hand it on to
                self._hand_on(process)
            peak = None
            stopping_shown = False
            next_look = 0.0
            try:
                while process.returncode is None:
                    if self._signum and not stopping_shown:
                        stopping_shown = True
                        self._display.stopping()
                    if time.monotonic() >= next_look:
                        look()
                        next_look = time.monotonic() + _LOOK_S
                    time.sleep(_POLL_S)
                    peak = _reap(process)
            finally:
                self._process = None
                if process.returncode is None:  # an error of ours must leave no process behind
                    process.terminate()
                    process.wait()
            return _Ended(process.returncode, peak, _text(out), _text(err))

    def _stop_if_asked(self, training: Training) -> None:
        if self._signum:
            place = self._trainings.index(training) + 1
            raise Interrupted(
                self._signum,
                f"interrupted at training {place} of {len(self._trainings)} ({training.name}); "
                "checkpoint saved; run the same command again to resume",
            )

    def _forward(self, signum: int) -> None:
        """Hand a signal on to the current training instead of ending at once."""
        self._signum = signum
        if self._process is not None:
            self._hand_on(self._process)

    def _hand_on(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT if self._signum == signal.SIGINT else signal.SIGTERM)


def is_evaluated(run: Path) -> bool:
    """Whether a run folder holds the evaluation of its best model, and the report, written last."""
    return (run / EVALUATION / SCORES).is_file() and (run / REPORT).is_file()


@dataclass(frozen=True)
class _Ended:
    """How a process ended, and its output."""

    code: int
    peak_memory: int | None
    out: str
    err: str

    @property
    def answer(self) -> Mapping[str, Any]:
        """The JSON object it printed; empty if it printed none."""
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
            memory = ", possibly for lack of memory" if name == "SIGKILL" else ""
            return (
                f"its process was killed by {name}{memory}",
                "smaller train.batch, or more memory",
            )
        last = (self.err.strip().splitlines() or ["no output"])[-1]
        return f"exit code {self.code}: {last}", f"see {LOG} in its run folder"


def _ends_with_us() -> Callable[[], None] | None:
    """What makes a child save and end when this process is killed; None where the system cannot."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # loaded here: a forked child should load nothing
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # killed before we asked
            os._exit(128 + signal.SIGTERM)

    return ask


def _result(answer: Mapping[str, Any]) -> str:
    """The scores of a finished training, in one line."""
    metrics = answer.get("metrics", {})
    scores = f"Kaggle mAP {metrics.get('kaggle_map', 0):.4f}, Dice {metrics.get('dice', 0):.4f}"
    return f"{scores}, {plural(answer.get('epochs', 0), 'full epoch')}"


def _reap(process: subprocess.Popen[bytes]) -> int | None:
    """Set the return code of a process that has ended; its peak memory in bytes, if known."""
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
