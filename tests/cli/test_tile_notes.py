"""How tiles were read is said by every command that reads them, in text and in JSON."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import RunCli

PAIRED = "_mask"
SCALED = "12 bits"


@pytest.fixture(scope="module")
def renamed(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiles with masks that are named otherwise."""
    folder = tmp_path_factory.mktemp("renamed") / "set"
    for part, ending in (("images", ""), ("masks", "_mask")):
        (folder / part).mkdir(parents=True)
        for path in (survey / part).glob("*.png"):
            shutil.copy(path, folder / part / f"{path.stem}{ending}.png")
    return folder


@pytest.fixture(scope="module")
def twelve_bits(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images in 12 of 16 bits."""
    folder = tmp_path_factory.mktemp("twelve") / "images"
    folder.mkdir()
    for path in sorted((survey / "images").glob("*.png"))[:8]:
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16)
        Image.fromarray(grey * np.uint16(16)).save(folder / path.name)
    return folder


Words = Callable[[Path, Path, Path, Path], tuple[object, ...]]
COMMANDS: dict[str, tuple[str, Words]] = {
    "mosaic": (PAIRED, lambda set_, _, run, out: ("data", "mosaic", set_, "--out", out)),
    "show": (PAIRED, lambda set_, _, run, out: ("data", "show", set_, "--out", out / "s.png")),
    "split": (PAIRED, lambda set_, _, run, out: (
        "data", "split", set_, "--out", out.with_suffix(".json"),
    )),
    "tune": (PAIRED, lambda set_, _, run, out: (
        "tune", run, "--data", set_, "--out", out / "t.json",
    )),
    "submit": (SCALED, lambda _, images, run, out: (
        "submit", run, "--data", images, "--out", out / "s.csv",
    )),
    "pseudo": (SCALED, lambda _, images, run, out: (
        "data", "pseudo", run, "--data", images, "--out", out, "--low", 0.001, "--high", 0.01,
        "--confident", 0,
    )),
    "export": (SCALED, lambda _, images, run, out: (
        "export", run, "--data", images, "--out", out, "--to", "onnx",
    )),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_how_tiles_were_read_is_said(
    run_cli: RunCli, renamed: Path, twelve_bits: Path, trained: Path, tmp_path: Path, command: str
) -> None:
    said, words = COMMANDS[command]
    done = run_cli(*words(renamed, twelve_bits, trained, tmp_path / "text"))
    assert done.code == 0, done.stderr
    lines = [
        line for line in done.stdout.splitlines() if line.startswith("note: ") and said in line
    ]
    assert len(lines) == 1
    answer = run_cli(*words(renamed, twelve_bits, trained, tmp_path / "json"), "--json").answer
    assert [f"note: {note}" for note in answer["notes"] if said in note] == lines
