"""Campaigns of faults over commands, and their table."""

from __future__ import annotations

import shutil
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.kills.commands import COMMANDS
from tests.kills.trials import COLUMNS, RECOVERED, Outcome, Trials

FAULTS = ("kill", "tear", "twice", "full", "room")

_SCRATCH_PAGES = 20
"""Pages of a small disk to try beyond those that a command leaves in use."""


@dataclass
class Outcomes:
    """What became of the faults of a command.

    Attributes:
        operations: that an undisturbed run does.
        found: the number of the operation and what happened, where it did not recover.
        volatile: files that are compared by name alone.
    """

    name: str
    operations: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    found: list[tuple[int, str]] = field(default_factory=list)
    volatile: set[str] = field(default_factory=set)


def campaign(
    names: list[str],
    seed: int,
    count: int,
    folder: Path,
    *,
    fault: str = "kill",
    note: Callable[[str], None] = print,
) -> list[Outcomes]:
    """Have each command meet a fault at some of its operations.

    Args:
        names: commands.
        seed: of the choice of operations.
        count: faults of each command; 0 for every operation.
        folder: for all inputs and outputs.
        fault: one of FAULTS.
        note: told how each ended.
    """
    all_outcomes = []
    for name in names:
        trials = Trials(COMMANDS[name], folder / name, small=fault == "room")
        try:
            all_outcomes.append(_outcomes(name, trials, seed, count, fault, note))
        finally:
            trials.close()
        shutil.rmtree(folder / name)
    return all_outcomes


def _outcomes(
    name: str, trials: Trials, seed: int, count: int, fault: str, note: Callable[[str], None]
) -> Outcomes:
    operations = len(trials.seen)
    outcomes = Outcomes(name, operations, volatile=trials.volatile)
    note(f"{name}: compared by name alone: {', '.join(sorted(trials.volatile)) or 'nothing'}")
    for number in chosen(name, seed, count, _places(trials, fault)):
        outcome, details, faults = _trial(trials, fault, number, seed)
        outcomes.counts[outcome] += faults
        if outcome != RECOVERED:
            outcomes.found.append((number, f"{outcome}: {details}"))
        note(f"{name} {number}/{operations}: {outcome} ×{faults} {details}".rstrip())
    return outcomes


def _places(trials: Trials, fault: str) -> list[int]:
    """Where a command can meet a fault: operations, or the pages that are left on its disk."""
    if fault == "room":
        return list(range(trials.pages() + _SCRATCH_PAGES))
    return trials.opens() if fault == "tear" else list(range(1, len(trials.seen) + 1))


def _trial(trials: Trials, fault: str, number: int, seed: int) -> Outcome:
    rng = np.random.default_rng([seed, number])
    if fault == "kill":
        return trials.killed(number)
    if fault in ("full", "room"):
        return (trials.full if fault == "full" else trials.with_room)(number)
    return (trials.torn if fault == "tear" else trials.killed_twice)(number, rng)


def chosen(name: str, seed: int, count: int, among: list[int]) -> list[int]:
    """The operations at which a command meets a fault, sorted."""
    if not count or count >= len(among):
        return among
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return sorted(rng.permutation(among)[:count].tolist())


def table(all_outcomes: list[Outcomes]) -> str:
    """The rows of docs/reliability.md."""
    lines = [f"| command | operations | faults | {' | '.join(COLUMNS)} |"]
    lines.append("|---" * (3 + len(COLUMNS)) + "|")
    total: Counter[str] = Counter()
    for one in all_outcomes:
        lines.append(_row(one.name, str(one.operations), one.counts))
        total += one.counts
    return "\n".join([*lines, _row("all", "", total)])


def _row(name: str, operations: str, counts: Counter[str]) -> str:
    cells = [name, operations, str(counts.total()), *(str(counts[column]) for column in COLUMNS)]
    return f"| {' | '.join(cells)} |"
