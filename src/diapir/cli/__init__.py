"""The command line: one file a verb.

A verb parses, makes its configuration, calls the package once and returns an `Answer`. It imports
what it calls only when it is called, so that `diapir --help` loads nothing heavy. What it says on
the way goes through `Output`, so that `--json` leaves stdout to the one JSON object. Errors of
every verb end here: a plain message and exit 2, or 128 + the signal's number for a stop that was
asked for.
"""

from __future__ import annotations

import contextlib
import io
import json as json_module
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter

from diapir.cli import (
    average,
    compare,
    data,
    demo,
    evaluate,
    export,
    models,
    predict,
    products,
    submit,
    survey,
    train,
    tune,
)
from diapir.cli.output import Answer, Output
from diapir.errors import DataError, DiapirError, Interrupted, MissingDependencyError
from diapir.progress import is_main_process
from diapir.version import __version__

EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_PIPE = 141
"""128 + SIGPIPE, which not every system has."""

EXTRAS = {
    "accelerate": "train",
    "dask": "volume",
    "distributed": "volume",
    "filelock": "train",
    "jinja2": "report",
    "matplotlib": "report",
    "onnx": "train",
    "onnxscript": "train",
    "openvino": "openvino",
    "segmentation_models_pytorch": "train",
    "surfio": "volume",
    "tensorboard": "train",
    "timm": "train",
    "torch": "train",
    "torchvision": "train",
    "wandb": "train",
    "zarr": "volume",
}
"""Packages that not every install has, and the extra that brings each."""

EVERYWHERE = Group("Everywhere", sort_key=100)

app = App(
    name="diapir",
    help="Finds salt in seismic data: trains, judges and runs segmentation networks.",
    version=__version__,
    version_flags="--version",
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    help_epilogue="""Examples:

  diapir demo                            all of it, on a synthetic survey
  diapir data check tgs.zip              may one train on these tiles?
  diapir train --recipe baseline --data tgs.zip --out runs/first
  diapir evaluate runs/first --data tgs.zip
  diapir predict runs/first images/ --out salt
  diapir survey line12.sgy               what is this file, really?
  diapir compare --recipes linknet,pspnet --data tgs.zip --out runs/zoo

`diapir VERB --help` tells more of each verb.""",
)
for position, verb in enumerate(
    (
        *(demo, data, train, evaluate, predict, products, survey, submit),
        *(compare, tune, average, models, export),
    )
):
    verb.app.sort_key = position
    app.command(verb.app)


app.meta.suppress_keyboard_interrupt = False


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    json: Annotated[bool, Parameter(group=EVERYWHERE, negative="", show_default=False)] = False,
    debug: Annotated[bool, Parameter(group=EVERYWHERE, negative="", show_default=False)] = False,
) -> int:
    """Run one verb.

    Args:
        tokens: the verb and its arguments.
        json: print one JSON object and nothing else on stdout.
        debug: show the traceback of an error.
    """
    command, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
    if "output" not in ignored:  # --help and --version
        command(*bound.args, **bound.kwargs)
        return 0
    with Output(json=json, command=shlex.join(("diapir", *tokens))) as output:
        answer: Answer = command(*bound.args, **bound.kwargs, output=output)
        output.finish(answer.content)
    return answer.exit_code


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 2 on an error, 128 + signal when interrupted.

    Args:
        arguments: the words after `diapir`; those of the process where none are given.

    Raises:
        SystemExit: always, but for a defect of diapir itself, which keeps its traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # × and → are not in every terminal's encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = app.meta(
            words, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output, such as `head`, has left
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_PIPE
    except (Exception, KeyboardInterrupt) as error:
        told = _tell(error, words)
        if told is None:
            raise
        code, message, content = told
        if is_main_process():
            if "--debug" in words:
                traceback.print_exception(error)
            print(message, file=sys.stderr)
            if "--json" in words:
                print(json_module.dumps({"error": content | {"exit_code": code}}))
    sys.exit(code)


def _tell(error: BaseException, words: Sequence[str]) -> tuple[int, str, dict[str, str]] | None:
    """Exit code, message and JSON content of an error a user can meet; None for a defect."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            return None
        error = MissingDependencyError(package, EXTRAS[package])
    elif isinstance(error, OSError):
        error = DataError(
            f"{error.filename or 'a file'}: {error.strerror or error}",
            expected="a place that can be read and written and has space left",
            fix="free space, fix the permissions, or choose another folder",
        )
    kind = type(error).__name__
    if isinstance(error, DiapirError):
        content = {"found": error.found, "expected": error.expected, "mend": error.fix}
        return error.exit_code, f"error: {error}", {"kind": kind} | content
    if isinstance(error, CycloptsError):
        verb = " ".join(error.command_chain or ())
        fix = f"`{' '.join(filter(None, ('diapir', verb)))} --help` shows what can be given"
        message = f"error: {error}\n  fix:      {fix}"
        return EXIT_USAGE, message, {"kind": "UsageError", "found": str(error), "mend": fix}
    if isinstance(error, Interrupted):
        return error.exit_code, str(error), {"kind": kind, "found": str(error)}
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED, "interrupted", {"kind": "Interrupted", "found": "interrupted"}
    return None
