"""Runs targets in child processes and counts what becomes of their inputs."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHILD = ("-m", "tests.fuzz.child")
BATCH = 400
"""Inputs read by one process."""
HANG_S = 10.0
"""Processor time of one input, above which it hangs."""
SILENT_S = 120.0
"""Seconds asleep without an end: it waits for something that does not come."""
START_S = 300.0
"""Seconds to the first input: imports, and what a target prepares."""


@dataclass
class Tally:
    """What became of the inputs of a target.

    Attributes:
        findings: the first input of each finding, by what it was.
        peak: of a process, in bytes.
    """

    name: str
    accepted: int = 0
    refused: int = 0
    other: int = 0
    peak: int = 0
    findings: dict[str, int] = field(default_factory=dict)
    traces: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """Number of inputs read."""
        return self.accepted + self.refused + self.other

    def count(self, number: int, answer: dict[str, Any]) -> None:
        """Count the outcome of an input."""
        self.peak = max(self.peak, answer.get("peak", 0))
        if answer["outcome"] == "accepted":
            self.accepted += 1
        elif answer["outcome"] == "refused":
            self.refused += 1
        elif answer["outcome"] == "broken":
            raise RuntimeError(f"{self.name} {number} cannot be made:\n{answer['trace']}")
        else:
            self.other += 1
            kind = answer["what"]
            self.findings.setdefault(kind, number)
            self.traces.setdefault(kind, answer.get("trace", ""))


def campaign(
    names: list[str],
    seed: int,
    *,
    seconds: float,
    count: int | None = None,
    first: int = 0,
    batch: int = BATCH,
    note: Callable[[str], None] = print,
) -> list[Tally]:
    """Run every target for its share of the time, or for a number of inputs.

    Args:
        names: targets.
        seed: of all inputs.
        seconds: for all targets together.
        count: inputs of each target; None for as many as there is time for.
        first: number of the first input.
        batch: inputs read by one process.
        note: told of each kind of finding when it is first met, and of each target at its end.
    """
    tallies = []
    for name in names:
        tally = Tally(name)
        end = time.monotonic() + seconds / len(names)
        number = first
        while time.monotonic() < end and (count is None or number < first + count):
            size = batch if count is None else min(batch, first + count - number)
            number = _batch(tally, seed, number, size, end, note)
        tallies.append(tally)
        note(_row(tally))
    return tallies


def _batch(
    tally: Tally, seed: int, first: int, count: int, end: float, note: Callable[[str], None]
) -> int:
    """Read a batch of inputs; returns the number of the next input."""
    number, before = first, len(tally.findings)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
        for answer in _answers(tally.name, seed, first, count, Path(home), end):
            if "begun" in answer:
                number = answer["begun"]
                continue
            number = answer["done"] + 1
            tally.count(answer["done"], answer)
            for what in list(tally.findings)[before:]:
                note(f"{tally.name} seed {seed} number {tally.findings[what]}: {what}")
            before = len(tally.findings)
    return number


def _answers(
    name: str, seed: int, first: int, count: int, home: Path, end: float
) -> Iterator[dict[str, Any]]:
    """The lines of a child; its death or hanging is answered for it."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
        "OMP_NUM_THREADS": "1",
        "HOME": str(home),  # of the child alone: no cache makes an input depend on others
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    words = [sys.executable, *CHILD, name, str(seed), str(first), str(count)]
    with (home / "stderr").open("w") as errors:
        child = subprocess.Popen(
            [*words, str(home)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    lines: queue.Queue[str] = queue.Queue()
    forwarding = threading.Thread(target=_forward, args=(child, lines), daemon=True)
    forwarding.start()
    begun = None
    try:
        while True:
            line = _next(lines, child.pid, started=begun is not None)
            if line is None:
                yield _fault(first if begun is None else begun, f"no end after {HANG_S:.0f} s")
                return
            if not line:
                break
            answer = json.loads(line)
            yield answer
            begun = answer.get("begun", begun)
            if "done" in answer and time.monotonic() > end:
                return
        code = child.wait()
        if code:
            if code > 0:
                raise RuntimeError(f"{name} at {begun}:\n{(home / 'stderr').read_text()}")
            how = f"signal {signal.Signals(-code).name}"
            yield _fault(first if begun is None else begun, how)
    finally:
        child.kill()
        child.wait()
        forwarding.join()
        if child.stdout:
            child.stdout.close()


def _next(lines: queue.Queue[str], process: int, *, started: bool) -> str | None:
    """The next line of a child; None where it takes too long, on a busy machine as on an idle."""
    used, asleep = _status(process)[0], 0
    while asleep < (SILENT_S if started else START_S):
        try:
            return lines.get(timeout=1.0)
        except queue.Empty:
            processor, sleeps = _status(process)
            asleep += sleeps
            if started and processor - used > HANG_S:
                break
    return None


def _status(process: int) -> tuple[float, bool]:
    """Processor time of a process so far in seconds, and whether it sleeps."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # not Linux: time is counted as if it slept
        return 0.0, True
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), fields[0] == "S"


def _forward(child: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put("")


def _fault(number: int, what: str) -> dict[str, Any]:
    return {"done": number, "outcome": "finding", "what": what}


def table(tallies: list[Tally]) -> str:
    """The rows of docs/reliability.md."""
    lines = [
        "| target | inputs | accepted | refused | anything else | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for one in [*tallies, *([_sum(tallies)] if len(tallies) > 1 else [])]:
        lines.append(_row(one))
    return "\n".join(lines)


def _row(one: Tally) -> str:
    kinds = f" ({len(one.findings)} kinds)" if one.findings else ""
    return (
        f"| {one.name} | {one.inputs:,} | {one.accepted:,} | {one.refused:,} | "
        f"{one.other:,}{kinds} | {one.peak / 1e6:,.0f} MB |"
    )


def _sum(tallies: list[Tally]) -> Tally:
    total = Tally("all", peak=max(one.peak for one in tallies))
    for one in tallies:
        total.accepted += one.accepted
        total.refused += one.refused
        total.other += one.other
        total.findings |= {f"{one.name} {what}": at for what, at in one.findings.items()}
    return total
