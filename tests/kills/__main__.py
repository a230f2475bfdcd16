"""The command line of the kill campaign; see the package."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.kills.campaign import FAULTS, campaign, table
from tests.kills.commands import COMMANDS


def main() -> int:
    parser = argparse.ArgumentParser(prog="make kills")
    parser.add_argument("--count", type=int, default=10, help="faults of each command; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--command", default="", help="names separated by commas; all by default")
    parser.add_argument("--fault", default="kill", choices=FAULTS)
    asked = parser.parse_args()
    names = [name for name in asked.command.split(",") if name] or list(COMMANDS)
    if unknown := set(names) - set(COMMANDS):
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(COMMANDS)}")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        outcomes = campaign(names, asked.seed, asked.count, Path(folder), fault=asked.fault)
    print(table(outcomes))
    return int(any(one.found for one in outcomes))


sys.exit(main())
