"""A run folder with everything in it, and its scored tiles."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from diapir.config import RunConfig, load_recipe
from diapir.reports import write_run_report
from tests.reports.made import COVERAGES, Case, case_of, fill_run, write_tiles


@pytest.fixture(scope="session")
def config() -> RunConfig:
    return load_recipe("baseline", ["model.base=4", "preprocess.size=32"])


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIAPIR_CACHE", str(tmp_path_factory.mktemp("cache")))
        return case_of(write_tiles(tmp_path_factory.mktemp("tiles") / "survey", COVERAGES * 3))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, case: Case, config: RunConfig) -> Path:
    """A run folder that no test may change."""
    folder = tmp_path_factory.mktemp("runs") / "first-run"
    fill_run(folder, case.tiles, config)
    return folder


@pytest.fixture(scope="session")
def report(finished: Path, case: Case) -> Path:
    """The report of the run, drawn once."""
    return write_run_report(finished, *case.arguments)


@pytest.fixture
def run(tmp_path: Path, finished: Path) -> Path:
    """A copy of the run folder, to be changed at will."""
    return Path(shutil.copytree(finished, tmp_path / "first-run"))
