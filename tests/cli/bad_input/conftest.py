"""A tiny tile set and a run on it, and the one way in which bad input is to be as_json."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diapir.cli import main
from tests.cli.conftest import Done, RunCli
from tests.helpers.tiny import tiny_recipe, write_bright_salt


@pytest.fixture(scope="session")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bright_salt(tmp_path_factory.mktemp("bright") / "tiles", count=12)


@pytest.fixture(scope="session")
def bright_run(bright: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the bright tiles; beside it its recipe."""
    folder = tmp_path_factory.mktemp("bright_run")
    (folder / "tiny.yaml").write_text(tiny_recipe(train={"epochs": 1}), encoding="utf-8")
    words = ["--recipe", folder / "tiny.yaml", "--data", bright, "--out", folder / "run"]
    with pytest.raises(SystemExit) as ended:
        main(["train", *map(str, words)])
    assert ended.value.code == 0
    return folder / "run"


@pytest.fixture
def here(
    bright: Path, bright_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The working folder: its own `tiles`, `run` and `tiny.yaml`, which a test may spoil."""
    shutil.copytree(bright, tmp_path / "tiles")
    shutil.copytree(bright_run, tmp_path / "run")
    shutil.copy(bright_run.parent / "tiny.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    before = listing(bright.parent), listing(bright_run.parent)
    yield tmp_path
    assert (listing(bright.parent), listing(bright_run.parent)) == before


def listing(folder: Path) -> dict[str, str]:
    """Every file below a folder with its content's hash, links with their target, and folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = (
            "folder" if path.is_dir() else f"link to {path.readlink()}" if path.is_symlink() else ""
        )
        if not content:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[path.relative_to(folder).as_posix()] = content
    return found


class Refuse:
    """`refuse("train", …, names=["tile003"])`: exit 2, one plain message, nothing changed."""

    def __init__(self, run_cli: RunCli, here: Path) -> None:
        self._run_cli = run_cli
        self._here = here

    def __call__(
        self, *words: object, names: tuple[str, ...] | list[str] = (), late: bool = False
    ) -> dict[str, Any]:
        """Run once for people and once with `--json`; give the error object.

        Args:
            words: the command line.
            names: what the message has to name.
            late: whether lines and files of work that had begun are in order.
        """
        before = listing(self._here)
        plain = self._run_cli(*words)
        assert plain.code == 2, plain
        self._is_plain(plain, names)
        if late:
            message = plain.stderr[plain.stderr.rindex("error: ") :]
            return {"found": message}
        assert plain.stdout == ""
        assert listing(self._here) == before
        as_json = self._run_cli(*words, "--json")
        assert as_json.code == 2
        assert list(as_json.answer) == ["error"]
        error: dict[str, Any] = as_json.answer["error"]
        assert error["exit_code"] == 2
        assert as_json.stderr == plain.stderr
        for part in ("found", "expected", "mend"):
            assert error[part], error
            assert error[part] in plain.stderr
        assert listing(self._here) == before
        return error

    @staticmethod
    def _is_plain(done: Done, names: tuple[str, ...] | list[str]) -> None:
        assert "Traceback" not in done.stdout + done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 3, done.stderr
        assert "\n  expected: " in done.stderr
        assert "\n  fix:      " in done.stderr
        for name in names:
            assert name in done.stderr, (name, done.stderr)
        assert len(done.stderr) < 1200, done.stderr


@pytest.fixture
def refuse(run_cli: RunCli, here: Path) -> Refuse:
    return Refuse(run_cli, here)


def train(*words: object, data: object = "tiles", out: object = "new") -> tuple[object, ...]:
    """The words of a training with the tiny recipe."""
    return ("train", "--recipe", "tiny.yaml", "--data", data, "--out", out, *words)


def flip(file: Path, position: int) -> None:
    """Change one bit of a file."""
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


@contextmanager
def permissions(path: Path, mode: int) -> Iterator[None]:
    """Let a file or folder have other permissions, and let them count for root as well."""
    usual = path.stat().st_mode
    path.chmod(mode)
    try:
        with _without_override():
            try:
                (path / ".probe").touch() if path.is_dir() else path.open("rb").close()
            except PermissionError:
                yield
            else:
                pytest.skip("this user may do anything")
    finally:
        path.chmod(usual)


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextmanager
def _without_override() -> Iterator[None]:
    """Without root's right to pass over permissions (capabilities 1 and 2 of Linux)."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3; this thread
    sets = (_Sets * 2)()
    assert libc.capget(header, sets) == 0
    effective = sets[0].effective
    sets[0].effective &= ~0b110
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0].effective = effective
        assert libc.capset(header, sets) == 0
