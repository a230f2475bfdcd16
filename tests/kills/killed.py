"""Runs the command line with a fault before a file operation, in a fresh process or in warm forks.

    python -m tests.kills.killed FOLDER RECORD WORD…    once, without a fault
    python -m tests.kills.killed FOLDER RECORD          a server of forks

The first writes to RECORD the audit event of each operation below FOLDER, and the names of all
modules that were imported. The second imports these modules and does nothing more: it has one
thread, and a fork of it is a process in which `diapir` starts. It answers each line of JSON on
stdin, an `Attempt`, with a line `[exit code, end of stderr]` once the fork has ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import random
import select
import signal
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.helpers.operations import Operations, fail, kill, tear

LIMIT_S = 3600
_LEFT_OUT = ("tests.", "__m")
"""Of the modules that the server imports: this one, and the running program's."""


@dataclass(frozen=True)
class Attempt:
    """One run of a command.

    Attributes:
        words: after `diapir`.
        folder: the working folder.
        mark: in the environment of all its processes.
        number: of the operation that meets the fault; 0 for none.
        fault: `kill` before the operation; `tear` the first write beyond `size` bytes that follows
            it; `full`: it and all later operations fail as on a full disk.
        size: for `tear`.
    """

    words: tuple[str, ...]
    folder: str = ""
    mark: str = ""
    number: int = 0
    fault: str = "kill"
    size: int = 0


def main() -> None:
    folder, record, *words = sys.argv[1:]
    if not words:
        modules = json.loads(Path(record).read_text())["modules"]
        _serve(Path(folder), modules)
        return
    operations = Operations(Path(folder), 0, kill)
    operations.install()
    try:
        _run(words)
    finally:
        content = {"operations": operations.seen, "modules": list(sys.modules)}
        if os.environ.get("KILLS_MARK"):  # not in a worker process, which imports this as well
            Path(record).write_text(json.dumps(content))


def _run(words: list[str]) -> None:
    from diapir.cli import main as command_line

    sys.argv = ["diapir", *words]
    command_line(words)


def _serve(folder: Path, modules: list[str]) -> None:
    for name in modules:
        if not name.startswith(_LEFT_OUT):
            with contextlib.suppress(ImportError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module(name)
    gc.freeze()  # a collection in a fork would copy the memory of the server
    print("ready", flush=True)
    for line in sys.stdin:
        values = json.loads(line)
        attempt = Attempt(**values | {"words": tuple(values["words"])})
        if threads := len(list(Path("/proc/self/task").iterdir())) - 1:
            raise RuntimeError(f"{threads} threads run beside the one that forks")
        print(json.dumps(_forked(folder, attempt)), flush=True)


def _forked(folder: Path, attempt: Attempt) -> tuple[int, str]:
    """Run a command in a fork; its exit code and the end of its stderr."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        os.dup2(into, 2)
        os.close(into)
        _in_child(folder, attempt)
    os.close(into)
    os.set_blocking(out, False)
    ended = os.pidfd_open(child)
    errors = b""
    ready: list[int] = []
    while ended not in ready:
        ready = select.select([out, ended], [], [], LIMIT_S)[0]
        if not ready:
            os.kill(child, signal.SIGKILL)
            ready, errors = [ended], errors + f"\nno end after {LIMIT_S} s".encode()
        errors += _read(out)
    os.close(out)
    os.close(ended)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, errors[-4000:].decode(errors="replace")


def _read(pipe: int) -> bytes:
    found = b""
    with contextlib.suppress(BlockingIOError):
        while more := os.read(pipe, 65_536):
            found += more
    return found


def _in_child(folder: Path, attempt: Attempt) -> NoReturn:
    """Run a command in place of the server, which this process leaves as `diapir` ends."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.chdir(attempt.folder)
    os.environ["KILLS_MARK"] = attempt.mark
    random.seed()  # the server's state would be the same in all forks
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    fault = {"kill": kill, "full": fail}.get(attempt.fault) or tear(attempt.size)
    Operations(folder, attempt.number, fault, stays=attempt.fault == "full").install()
    _run(list(attempt.words))
    sys.exit(0)


if __name__ == "__main__":
    main()
