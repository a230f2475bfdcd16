"""Tiny recipes and the tiles they are trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.comparison.made import write_recipes
from tests.helpers.tiny import write_bright_salt


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bright_salt(tmp_path_factory.mktemp("compare") / "bright")


@pytest.fixture(scope="session")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipes(tmp_path_factory.mktemp("recipes"))
