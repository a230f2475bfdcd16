"""The command line of the fuzzers; see the package."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.campaign import campaign, table
from tests.fuzz.child import read
from tests.fuzz.target import NAMES, build


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", default="", help="names separated by commas; all by default")
    parser.add_argument("--count", type=int, help="inputs of each target, within the time")
    parser.add_argument("--number", type=int, help="read this input alone, and show its traceback")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    asked = parser.parse_args()
    names = [name for name in asked.target.split(",") if name] or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if asked.number is not None:
        return _one(names[0], asked.seed, asked.number)
    tallies = campaign(names, asked.seed, seconds=asked.seconds, count=asked.count)
    print(table(tallies))
    for tally in tallies:
        for what, trace in tally.traces.items():
            print(f"\n{tally.name} seed {asked.seed} number {tally.findings[what]}: {what}")
            print("\n".join(trace.splitlines()[-12:]))
    return int(any(tally.findings for tally in tallies))


def _one(name: str, seed: int, number: int) -> int:
    home = Path(tempfile.mkdtemp(prefix="fuzz-"))
    outcome = read(build(name, home), name, seed, number, home / "input")
    print(*outcome.values(), f"input: {home / 'input'}", sep="\n")
    return int(outcome["outcome"] == "finding")


sys.exit(main())
