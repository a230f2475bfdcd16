"""The process of a job: started in a session of its own, and found again by its lock.

The process inherits an open, locked file. The system releases the lock when the process has ended,
whoever started it: after a kill of the server, a new one sees which jobs still run. Where the
system has no such locks (Windows), jobs are started again, and their commands resume.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from diapir.progress import PROGRESS_FILE
from diapir.serving.jobs.job import ANSWER, LOCK, LOG, PROGRESS, Job

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class JobProcess:
    """The command of a job, started here or by an earlier server.

    Args:
        place: folder of the job.
        started: the process; None where another server started it.
    """

    def __init__(self, place: Path, started: subprocess.Popen[bytes] | None = None) -> None:
        self._place = place
        self._process = started

    @classmethod
    def start(cls, place: Path, job: Job) -> JobProcess:
        """Start the command of a job.

        Raises:
            OSError: it cannot be started.
        """
        for name in (ANSWER, PROGRESS):
            (place / name).unlink(missing_ok=True)
        command = [sys.executable, "-m", "diapir", *job.words, "--json"]
        environment = os.environ | {PROGRESS_FILE: str(place / PROGRESS)}
        with contextlib.ExitStack() as stack:
            answer = stack.enter_context((place / ANSWER).open("wb"))
            log = stack.enter_context((place / LOG).open("ab"))
            lock = stack.enter_context((place / LOCK).open("ab"))
            kept: tuple[int, ...] = ()
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                kept = (lock.fileno(),)
            process = subprocess.Popen(  # noqa: S603 - our own words, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=log,
                env=environment,
                pass_fds=kept,
                start_new_session=True,
            )
            (place / LOCK).write_text(str(process.pid), encoding="ascii")
        return cls(place, process)

    @classmethod
    def find(cls, place: Path) -> JobProcess | None:
        """The process that an earlier server started and that still runs; None if none does."""
        found = cls(place)
        return found if found.alive() else None

    def alive(self) -> bool:
        """Whether the command still runs."""
        if self._process is not None:
            return self._process.poll() is None
        if fcntl is None:
            return False
        with contextlib.suppress(OSError), (self._place / LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @property
    def exit_code(self) -> int | None:
        """Exit code once it has ended; None where another server started it."""
        return None if self._process is None else self._process.poll()

    def ask_to_stop(self) -> None:
        """Ask the command to save and stop."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Stop the command at once, with the processes that it started."""
        self._send(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _send(self, signum: signal.Signals) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._process is not None:
                pid = self._process.pid
            else:
                pid = int((self._place / LOCK).read_text(encoding="ascii"))
            if not self.alive():  # nobody else has its number as long as it holds the lock
                return
            if hasattr(os, "killpg") and signum != signal.SIGTERM:
                os.killpg(pid, signum)
            else:
                os.kill(pid, signum)
