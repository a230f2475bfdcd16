from __future__ import annotations

import inspect
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from cyclopts import App
from PIL import Image

from diapir import __version__, tiles
from diapir.cli import COMMANDS, command_line, main
from diapir.errors import DataError, DeviceError, Interrupted, install_command
from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.helpers.tile_sets import write_tiles

HEAVY = (
    "numpy torch onnxruntime openvino pydantic yaml PIL matplotlib jinja2 safetensors wandb "
    "accelerate tensorboard"
)
VERBS = [
    *("demo", "data", "train", "evaluate", "predict", "submit"),
    *("compare", "tune", "average", "recipes", "models"),
]


def loaded_by(*words: str) -> set[str]:
    """The modules that a command line loads."""
    program = (
        "import sys\n"
        "from diapir.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], [], *([v, "--help"] for v in COMMANDS)]
)
def test_help_and_version_load_nothing_heavy(words: list[str]) -> None:
    loaded = loaded_by(*words)
    assert "diapir.cli" in loaded  # the list was read
    assert loaded.isdisjoint(HEAVY.split())


def test_help_and_version_load_no_command() -> None:
    of_commands = {f"diapir.cli.{command}" for command in COMMANDS}
    for word in ("--help", "--version"):
        loaded = loaded_by(word)
        assert loaded.isdisjoint(of_commands)
        assert loaded.isdisjoint({"diapir.surveys", "diapir.files", "cyclopts.completion"})
    assert loaded_by("average", "--help") & of_commands == {"diapir.cli.average"}


def test_the_lines_of_commands_are_their_own() -> None:
    complete, lines = command_line(), command_line([])
    for command, line in COMMANDS.items():
        told = complete[command].help or complete[command].default_command.__doc__
        assert told.splitlines()[0] == line == lines[command].help


def test_help_is_the_same_without_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    pages = []
    for words in ([], COMMANDS, ["--install-completion"]):
        with pytest.raises(SystemExit):
            command_line(words)(["--help"])
        pages.append(capsys.readouterr().out)
    assert "predict" in pages[0]
    assert pages[0] == pages[1] == pages[2]


def test_survey_loads_no_model_and_no_images(tmp_path: Path) -> None:
    write_segy(tmp_path / "line.sgy", np.random.default_rng(0).normal(size=(4, 5, 50)))
    loaded = loaded_by("survey", str(tmp_path / "line.sgy"))
    assert "numpy" in loaded
    assert loaded.isdisjoint({"pydantic", "yaml", "PIL", "onnxruntime", "openvino", "torch"})


def test_predict_of_a_tile_loads_no_recipes_and_one_engine(tmp_path: Path) -> None:
    Image.fromarray(np.arange(101 * 101).reshape(101, 101).astype(np.uint8)).save(
        tmp_path / "tile.png"
    )
    loaded = loaded_by("predict", str(tmp_path / "tile.png"), "--out", str(tmp_path / "out"))
    assert "onnxruntime" in loaded
    assert loaded.isdisjoint({"yaml", "diapir.config.sections", "openvino", "torch", "dask"})
    assert loaded.isdisjoint({"diapir.surveys.open", "matplotlib", "diapir.reports"})


def test_import_diapir_loads_nothing_heavy() -> None:
    program = "import sys, diapir; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert set(done.stdout.split()).isdisjoint([*HEAVY.split(), "cyclopts"])


def test_version(run_cli: RunCli) -> None:
    assert run_cli("--version") == (0, f"{__version__}\n", "")


def test_help_lists_every_command_with_a_line(run_cli: RunCli) -> None:
    done = run_cli("--help")
    assert done.code == 0
    for verb in VERBS:
        assert COMMANDS[verb] in done.stdout
    assert done.stdout == run_cli().stdout  # no command at all


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_command_shows_examples_and_common_options(run_cli: RunCli, verb: str) -> None:
    done = run_cli(verb, "--help")
    assert done.code == 0
    assert f"  diapir {verb} " in done.stdout.partition("Examples:")[2]
    assert "--json" in done.stdout
    assert "--debug" in done.stdout


def commands(parent: App, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for name in parent:
        if not name.startswith("-"):
            yield (*words, name)
            yield from commands(parent[name], *words, name)


ALL = [*commands(command_line())]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_help_page_fits_80_columns_and_speaks_in_sentences(
    run_cli: RunCli, words: tuple[str, ...]
) -> None:
    command = command_line()
    for word in words:
        command = command[word]
    page = run_cli(*words, "--help").stdout
    told = inspect.cleandoc(command.help or "").partition("\nArgs:")[0]
    written = [*told.splitlines(), *str(command.help_epilogue or "").splitlines()]
    shown = {line.strip() for line in page.splitlines()}
    assert [line for line in written if line.strip() not in shown] == [], "these were broken"
    assert page.startswith("Usage: diapir " + " ".join(words))
    texts = re.findall(
        r"^│ (?:\*  |   )?(?:--|[A-Z])\S*(?: [A-Z=:]+\S*)?  +(\w+ \w.*?)│$", page, re.M
    )
    assert [text for text in texts if text[0].islower()] == []


def test_help_of_subcommands_has_their_own_examples(run_cli: RunCli) -> None:
    for words in ALL:
        if len(words) == 2:
            shown = run_cli(*words, "--help").stdout.partition("Examples:")[2].split("\n")
            examples = [line for line in shown if line.startswith("  diapir ")]
            assert examples
            assert all(line.startswith(f"  diapir {' '.join(words)} ") for line in examples)


def test_completion_can_be_installed(
    run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert run_cli("--install-completion").code == 0
    (script,) = (path for path in tmp_path.rglob("diapir") if path.is_file())
    assert "--epochs" in script.read_text(encoding="utf-8")


def test_an_option_that_is_a_key_of_recipes_is_recognised(run_cli: RunCli) -> None:
    words = ["train", "--recipe", "unet", "--data", "a", "--out", "b"]
    done = run_cli(*words, "--learning-rate", "1e-3")
    assert done.code == 2
    assert "fix:      --set optimizer.lr=VALUE; " in done.stderr
    other = run_cli("evaluate", "--data", "a", "--learning-rate", "1e-3")
    assert "--set" not in other.stderr  # evaluate has no recipe


def test_python_m_diapir() -> None:
    done = subprocess.run([sys.executable, "-m", "diapir", "--version"], capture_output=True)
    assert done.stdout.decode().strip() == __version__


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["trian"], "train"),
        (["evaluate", "model"], "--data"),
        (["evaluate", "model", "--data", "b", "--device", "tpu"], "tpu"),
        (["data", "split", "a", "--out", "b", "--folds", "many"], "many"),
        (["train", "--recipe", "a", "--data", "b", "--out", "c", "--budget", "soon"], "20m"),
    ],
)
def test_a_wrong_call_is_a_plain_message(run_cli: RunCli, words: list[str], named: str) -> None:
    done = run_cli(*words)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert "--help` shows" in done.stderr
    message = run_cli(*words, "--json")
    assert message.code == 2
    assert message.answer["error"]["kind"] == "UsageError"
    assert named in message.answer["error"]["found"]


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `diapir data check` fail with `error`."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(tiles, "check_tiles", fail, raising=False)


def test_an_error_is_a_message_and_exit_2(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, DeviceError("no cuda", expected="a GPU", fix="--device cpu"))
    done = run_cli("data", "check", "tgs")
    assert done == (2, "", "error: no cuda\n  expected: a GPU\n  fix:      --device cpu\n")


def test_debug_shows_the_traceback(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, DataError("odd", expected="even", fix="add one"))
    done = run_cli("data", "check", "tgs", "--debug")
    assert done.code == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.endswith("error: odd\n  expected: even\n  fix:      add one\n")


@pytest.mark.parametrize(
    "words", [["--json", "data", "check", "tgs"], ["data", "check", "tgs", "--json"]]
)
def test_json_has_errors_too(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    raising(monkeypatch, DataError("odd", expected="even", fix="add one"))
    done = run_cli(*words)
    assert done.code == 2
    assert done.answer == {
        "error": {
            "kind": "DataError",
            "found": "odd",
            "expected": "even",
            "mend": "add one",
            "exit_code": 2,
        }
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Interrupted(signal.SIGINT, "saved"), 130),
        (Interrupted(signal.SIGTERM, "saved"), 143),
        (KeyboardInterrupt(), 130),
    ],
)
def test_an_interrupt_has_its_exit_code(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    raising(monkeypatch, error)
    done = run_cli("data", "check", "tgs")
    assert (done.code, done.stdout) == (code, "")
    assert done.stderr == f"{str(error) or 'interrupted'}\n"
    assert run_cli("data", "check", "tgs", "--json").answer["error"]["exit_code"] == code


def test_a_missing_package_names_its_extra(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    raising(monkeypatch, ModuleNotFoundError("No module named 'torch'", name="torch.nn"))
    done = run_cli("data", "check", "tgs")
    assert done.code == 2
    assert "'torch' is not installed" in done.stderr
    assert install_command("train") in done.stderr


def test_a_missing_package_outside_the_extras_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ModuleNotFoundError("No module named 'numpy'", name="numpy"))
    with pytest.raises(ModuleNotFoundError):
        main(["data", "check", "tgs"])


def test_a_full_disk_is_a_plain_message(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, OSError(28, "No space left on device", "runs/last"))
    done = run_cli("data", "check", "tgs")
    assert done.code == 2
    assert done.stderr.startswith("error: runs/last: No space left on device\n")


def test_a_bug_keeps_its_traceback(run_cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ZeroDivisionError("a defect"))
    with pytest.raises(ZeroDivisionError):
        run_cli("data", "check", "tgs")


def test_only_the_main_process_prints(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, survey: Path
) -> None:
    assert run_cli("data", "check", survey).stdout
    monkeypatch.setenv("RANK", "1")
    assert run_cli("data", "check", survey) == (0, "", "")
    assert run_cli("data", "check", survey, "--json") == (0, "", "")
    raising(monkeypatch, DataError("odd", expected="even", fix="add one"))
    assert run_cli("data", "check", survey, "--json") == (2, "", "")


def test_a_reader_that_ends_is_not_an_error(survey: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "diapir", "data", "check", survey],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    process.stdout.close()  # before anything is printed
    _, message = process.communicate()
    assert (process.returncode, message) == (141, b"")


@pytest.mark.skipif(os.name == "nt", reason="closes streams as a Unix shell does")
@pytest.mark.parametrize("closed", ["1", "0 1 2"])
def test_closed_streams_are_no_reason_to_fail(tmp_path: Path, closed: str) -> None:
    words = [sys.executable, "-m", "diapir", "data", "check", str(write_tiles(tmp_path))]
    code = f"import os; [os.close(int(one)) for one in {closed!r}.split()]; "
    code += f"os.execv({sys.executable!r}, {words!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "Traceback" not in done.stderr
