"""The tiny tile set and recipe as fixtures."""

from collections.abc import Callable
from pathlib import Path

import pytest

from diapir.config import RunConfig, parse_config
from tests.helpers.tiny import TINY, write_bright_salt


@pytest.fixture(scope="session")
def bright_salt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bright_salt(tmp_path_factory.mktemp("tiles") / "bright")


@pytest.fixture
def tiny() -> Callable[..., RunConfig]:
    """The tiny recipe, with `section.key=value` overrides."""

    def make(*overrides: str) -> RunConfig:
        return parse_config(TINY, source="tiny", overrides=overrides)

    return make
