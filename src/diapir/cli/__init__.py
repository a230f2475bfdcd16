"""The command line: one file per command.

A command parses its arguments, calls the package and returns an `Answer`. Only the file of the
command that is typed is imported, and it imports the package only when it runs, so that
`diapir --help` loads nothing heavy. All text goes through `Output`, so that with `--json` stdout
has only the JSON object. Errors of every command are handled here: a plain message and exit code 2,
or 128 + the signal number after an interruption.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json as json_module
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter, UnknownOptionError

from diapir.cli.loading import loading
from diapir.cli.options import Capitals, join_settings
from diapir.cli.output import Answer, Output
from diapir.errors import DataError, DiapirError, Interrupted
from diapir.extras import missing
from diapir.progress import is_main_process
from diapir.version import __version__

EXIT_USAGE = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_PIPE = 141
"""128 + SIGPIPE, a signal that not every system has."""

EVERYWHERE = Group("Everywhere", sort_key=100)

EXAMPLES = """Examples:

  diapir demo                            whole workflow on a synthetic survey
  diapir data check tgs.zip              are these tiles OK to train on?
  diapir train --recipe baseline --data tgs.zip --out runs/first
  diapir evaluate runs/first --data tgs.zip
  diapir predict runs/first images/ --out salt
  diapir adapt block.sgy --labels inline_241.png --out runs/block
  diapir serve block.sgy                 the same in a browser, with brushes
  diapir survey line12.sgy               geometry and contents of a SEG-Y file
  diapir compare --recipes linknet,pspnet --data tgs.zip --out runs/zoo

See `diapir COMMAND --help` for each command."""
COMPLETES = "Install completion for bash, zsh, fish or PowerShell."

COMMANDS = {
    "demo": "Train, evaluate and predict on a synthetic survey.",
    "data": "Check, show, import, generate, reassemble and split tile sets.",
    "train": "Train a network on labelled tiles, evaluate it and report.",
    "evaluate": "Evaluate a model on labelled tiles, with 95% CIs.",
    "predict": "Predict salt in images, SEG-Y lines and volumes of any size.",
    "adapt": "Adapt a model to your own survey with labels of a few sections.",
    "suggest": "Name the sections to label next: where the model is least sure.",
    "products": "Extract horizons (top salt, base salt), salt bodies and meshes from predictions.",
    "survey": "Describe surveys: format, geometry, gaps, amplitudes, text header.",
    "serve": "Open a page on surveys and pictures: look, predict, correct, adapt, take home.",
    "submit": "Write submission.csv for the test tiles of Kaggle's zip.",
    "compare": "Compare networks on equal terms: recipes or finished runs.",
    "tune": "Tune threshold and minimum component size for Kaggle's mAP.",
    "average": "Average the weights of trainings of one recipe.",
    "recipes": "List the built-in recipes, or explain one.",
    "models": "List the architectures and the bundled models, or describe one.",
    "export": "Export a model to ONNX or OpenVINO, and measure the differences.",
}
"""Each command, a module of this package, and the first line of its help."""

COMPLETION = "--install-completion"


def command_line(words: Iterable[str] = tuple(COMMANDS)) -> App:
    """The tree of commands, in which the commands among `words` are complete.

    The others are not imported: they have the line that `diapir --help` shows, and no options.
    """
    app = App(
        name="diapir",
        help="Finds salt in seismic data: trains, evaluates and runs segmentation networks.",
        version=__version__,
        version_flags="--version",
        help_format="plaintext",
        help_formatter=Capitals(),
        suppress_keyboard_interrupt=False,
        help_epilogue=EXAMPLES,
    )
    wanted = {*words}
    for position, (name, summary) in enumerate(COMMANDS.items()):
        command: App = (
            import_module(f"{__name__}.{name}").app
            if name in wanted or COMPLETION in wanted
            else App(name=name, help=summary)
        )
        command.sort_key = position
        app.command(command)
    if COMPLETION in wanted:
        app.register_install_completion_command(help=COMPLETES, group=EVERYWHERE)
    else:
        app.command(App(name=COMPLETION, help=COMPLETES, group=EVERYWHERE))
    app.meta.default(_everywhere)
    return app


def _everywhere(
    *,
    json: Annotated[bool, Parameter(group=EVERYWHERE, negative="", show_default=False)] = False,
    debug: Annotated[bool, Parameter(group=EVERYWHERE, negative="", show_default=False)] = False,
) -> None:
    """Options of every command on the help pages; `_launch` and `main` read them.

    Args:
        json: print one JSON object and nothing else on stdout.
        debug: show the traceback of an error.
    """


def _launch(words: Sequence[str]) -> int:
    """Run one command and return the exit code."""
    end = words.index("--") if "--" in words else len(words)
    everywhere = {"--json", "--debug"}.intersection(words[:end])
    tokens = [*(word for word in words[:end] if word not in everywhere), *words[end:]]
    if tokens[:1] == ["train"]:
        from diapir.cli.train import with_run_apart

        tokens = list(with_run_apart(tokens))
    with loading():
        command, bound, ignored = command_line(words).parse_args(
            join_settings(tokens), exit_on_error=False, print_error=False
        )
    if "output" not in ignored:  # --help and --version
        command(*bound.args, **bound.kwargs)
        return 0
    typed = shlex.join(("diapir", *tokens))
    with Output(json="--json" in everywhere, command=typed) as output:
        answer: Answer = command(*bound.args, **bound.kwargs, output=output)
        output.finish(answer.content)
    return answer.exit_code


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 2 on an error, 128 + signal number if interrupted.

    Args:
        arguments: the words after `diapir`; None for those of the process.

    Raises:
        SystemExit: always, except for a bug in diapir, whose traceback is kept.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:  # else pydantic reads the entry points of every installed package
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # not every terminal's encoding has × and →
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _launch(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output, such as `head`, has ended
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_PIPE
    except (Exception, KeyboardInterrupt) as error:
        described = _describe(error, words)
        if described is None:
            raise
        code, message, content = described
        if is_main_process():
            if "--debug" in words:
                traceback.print_exception(error)
            print(message, file=sys.stderr)
            if "--json" in words:
                print(json_module.dumps({"error": content | {"exit_code": code}}))
    if arguments is None:  # the process ends: the interpreter need not search it for cycles
        gc.freeze()
    sys.exit(code)


def _open_streams() -> None:
    """Point closed standard streams to the null device.

    Otherwise the next file that is opened would get their number, and what a library prints.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            if getattr(sys, name) is None:
                mode = "w" if number else "r"
                setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _describe(error: BaseException, words: Sequence[str]) -> tuple[int, str, dict[str, str]] | None:
    """Exit code, message and JSON content of an error for the user; None for a bug."""
    if isinstance(error, ModuleNotFoundError):
        explained = missing(error)
        if explained is None:
            return None
        error = explained
    elif isinstance(error, OSError):
        error = DataError(
            f"{error.filename or 'a file'}: {error.strerror or error}",
            expected="a place that can be read and written, on a disk with free space",
            fix="free space, fix the permissions, or choose another folder",
        )
    kind = type(error).__name__
    if isinstance(error, DiapirError):
        content = {"found": error.found, "expected": error.expected, "mend": error.fix}
        return error.exit_code, f"error: {error}", {"kind": kind} | content
    if isinstance(error, CycloptsError):
        command = " ".join(error.command_chain or ())
        fix = f"`{' '.join(filter(None, ('diapir', command)))} --help` shows the options"
        if key := _meant_key(error):
            fix = f"--set {key}=VALUE; {fix}"
        message = f"error: {error}\n  fix:      {fix}"
        return EXIT_USAGE, message, {"kind": "UsageError", "found": str(error), "mend": fix}
    if isinstance(error, Interrupted):
        return error.exit_code, str(error), {"kind": kind, "found": str(error)}
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED, "interrupted", {"kind": "Interrupted", "found": "interrupted"}
    return None


def _meant_key(error: CycloptsError) -> str:
    """The key of a recipe that an unknown option of a command with --set probably stands for."""
    if not isinstance(error, UnknownOptionError):
        return ""
    if not any("--set" in argument.names for argument in error.argument_collection):
        return ""
    from diapir.config.guesses import suggest_key

    option = (error.token.keyword or error.token.value).partition("=")[0]
    meant = suggest_key(option.lstrip("-"))
    return meant.strip("'") if meant.count("'") == 2 and meant.endswith("'") else ""
