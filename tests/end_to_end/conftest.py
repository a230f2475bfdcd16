"""Command lines run as a user runs them: in a process of their own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers import tiny

Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny.tiny_recipe())
    return path


@pytest.fixture(scope="session")
def bright_salt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_bright_salt(tmp_path_factory.mktemp("tiles") / "bright")


@pytest.fixture
def environment() -> Mapping[str, str]:
    """No thread pool larger than the tests' share, and no progress display."""
    return os.environ | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def start(environment: Mapping[str, str]) -> Command:
    """Start `diapir` with arguments (or `launcher` with it) and leave it running."""

    def launch(*arguments: object, launcher: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *launcher, "-m", "diapir", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    return launch


@pytest.fixture
def diapir(start: Command) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run `diapir` with arguments to its end."""

    def run(
        *arguments: object, launcher: tuple[str, ...] = ()
    ) -> "subprocess.CompletedProcess[str]":
        process = start(*arguments, launcher=launcher)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run
