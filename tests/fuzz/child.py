"""The process that reads inputs: a crash or a hang of it is blamed on the input it last named."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import traceback
import warnings
from pathlib import Path

import diapir
from diapir.errors import DiapirError
from tests.fuzz.target import Target, build, chance

_SOURCE = Path(diapir.__file__).parent


def main(name: str, seed: int, first: int, count: int, home: Path) -> None:
    """Read inputs, and write a line before and after each to standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what diapir or a library prints is no answer
    target = build(name, home)
    warnings.simplefilter("error")
    for number in range(first, first + count):
        print(json.dumps({"begun": number}), file=answers, flush=True)
        outcome = read(target, name, seed, number, home / "input")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"done": number, "peak": peak, **outcome}), file=answers, flush=True)


def read(target: Target, name: str, seed: int, number: int, folder: Path) -> dict[str, str]:
    """Make an input, have it read, and name the outcome."""
    while folder.exists():  # a thread that reads the input before may hold it for a moment
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        use = target.make(chance(name, seed, number), folder)
    except Exception:  # a fault of the fuzzer, which must not pass for one of diapir
        return {"outcome": "broken", "trace": traceback.format_exc()}
    try:
        use()
    except DiapirError as error:
        str(error)
        return {"outcome": "refused"}
    except Exception as error:  # everything else is what fuzzing looks for
        return {"outcome": "finding", "what": what(error), "trace": traceback.format_exc()}
    return {"outcome": "accepted"}


def what(error: BaseException) -> str:
    """An error by its type and the innermost place in diapir, equal for the same fault."""
    place = "?"
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).is_relative_to(_SOURCE):
            place = f"{Path(frame.filename).relative_to(_SOURCE)}:{frame.lineno}"
    return f"{type(error).__name__} at {place}"


if __name__ == "__main__":
    main(sys.argv[1], *(int(word) for word in sys.argv[2:5]), Path(sys.argv[5]))
