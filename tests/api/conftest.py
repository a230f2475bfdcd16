"""A small trained run, made once."""

from pathlib import Path

import pytest

import diapir
from tests.helpers.tiny import tiny_recipe, write_bright_salt


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tile set `mini` and the recipe `tiny.yaml`."""
    folder = tmp_path_factory.mktemp("made")
    write_bright_salt(folder / "mini")
    (folder / "tiny.yaml").write_text(tiny_recipe(train={"epochs": 2}))
    return folder


@pytest.fixture(scope="session")
def run(made: Path) -> diapir.Run:
    return diapir.train(made / "tiny.yaml", made / "mini", made / "run")
