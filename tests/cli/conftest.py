"""The command line run within the test's process, and a small trained run to use it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from diapir.cli import main
from tests.helpers import tiny


class Done(NamedTuple):
    """How the command line ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        content: dict[str, Any] = json.loads(self.stdout)
        return content


RunCli = Callable[..., Done]


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> RunCli:
    """`run_cli("data", "check", path)` gives exit code, stdout and stderr."""

    def run(*words: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic survey."""
    from diapir.tiles import synthesise

    folder = tmp_path_factory.mktemp("data") / "survey"
    synthesise(folder, tiles=40, seed=3)
    return folder


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that trains in about a second."""
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    recipe = tiny.tiny_recipe(
        data={"mask_encoding": "grey8", "val_fraction": 0.3},
        preprocess={"size": 112},
        train={"batch": 8, "epochs": 1},
    )
    path.write_text(recipe, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(survey: Path, tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that `diapir train` has made of the survey."""
    run = tmp_path_factory.mktemp("runs") / "tiny"
    words = ["train", "--recipe", str(tiny_recipe), "--data", str(survey), "--out", str(run)]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    return run


def train_again(trained: Path, folder: Path, survey: Path, *settings: str) -> Path:
    """Another run of the tiny recipe, with other settings, beside none of its files."""
    run = folder / "run"
    words = ["train", "--recipe", str(trained / "config.yaml"), "--data", str(survey)]
    words += ["--out", str(run)]
    for setting in settings:
        words += ["--set", setting]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    return run


@pytest.fixture(scope="session")
def second(trained: Path, survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the same split as `trained`, of another seed."""
    return train_again(trained, tmp_path_factory.mktemp("second"), survey, "seed=7")


@pytest.fixture(scope="session")
def folds(
    trained: Path, survey: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Two runs, each trained on the tiles that the other held out."""
    first, other = (
        train_again(
            trained,
            tmp_path_factory.mktemp(f"fold{fold}"),
            survey,
            "data.folds=2",
            f"data.fold={fold}",
        )
        for fold in (0, 1)
    )
    return first, other
