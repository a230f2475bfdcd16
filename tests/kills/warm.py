"""Starts attempts at a command: in new processes, or in forks of a server that imported it all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from tests.kills.killed import LIMIT_S, Attempt

ROOT = Path(__file__).parents[2]


class Starter:
    """Starts attempts in one folder.

    Args:
        work: the working folder, which may be made anew between attempts.
        out: the folder below it in which operations count.
        aside: a folder for the home of the commands and for what they did.
    """

    def __init__(self, work: Path, out: Path, aside: Path) -> None:
        self._work, self._out = work, out
        self._record = aside / "record.json"
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
            "HOME": str(aside / "home"),
            "OMP_NUM_THREADS": "1",
        }
        self._server: subprocess.Popen[str] | None = None

    def fresh(self, words: tuple[str, ...]) -> tuple[int, str, list[str]]:
        """Run a command undisturbed in a process of its own.

        Returns:
            Its exit code, its messages, and the audit event of each of its operations.
        """
        mark = _mark()
        ended = subprocess.run(
            [*self._line(), *words], cwd=self._work, env=self._environment | {"KILLS_MARK": mark},
            capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        _end_marked(mark)
        if ended.returncode:
            return ended.returncode, ended.stderr[-2000:], []
        return 0, ended.stderr, json.loads(self._record.read_text())["operations"]

    def warm(self, words: tuple[str, ...], **fault: object) -> tuple[int, str]:
        """Run a command in a fork; its exit code and messages. Its children do not outlive it.

        Args:
            words: after `diapir`, of a command that has run undisturbed before.
            fault: arguments of `Attempt`.
        """
        if not self._server:
            self._server = subprocess.Popen(
                self._line(), cwd=self._work.parent, env=self._environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            self._answer()
        attempt = Attempt(words, str(self._work), _mark(), **fault)  # type: ignore[arg-type]
        assert self._server.stdin
        self._server.stdin.write(json.dumps(asdict(attempt)) + "\n")
        self._server.stdin.flush()
        code, message = json.loads(self._answer())
        _end_marked(attempt.mark)
        return code, message

    def close(self) -> None:
        """End the server."""
        if self._server:
            self._server.communicate()
            self._server = None

    def __enter__(self) -> Starter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _line(self) -> list[str]:
        program = [sys.executable, "-m", "tests.kills.killed"]
        return [*program, str(self._out), str(self._record)]

    def _answer(self) -> str:
        assert self._server
        assert self._server.stdout
        if not (line := self._server.stdout.readline()):
            raise RuntimeError("the server of forks has ended")
        return line


def _mark() -> str:
    return f"kills-{os.getpid()}-{os.urandom(4).hex()}"


def _end_marked(mark: str) -> None:
    """End what a command has started: processes with this mark in their environment."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                os.kill(int(environ.parent.name), signal.SIGKILL)
        except OSError:
            continue
