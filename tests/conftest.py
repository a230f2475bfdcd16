"""Fixtures that every part of the tests may use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_tgs_zip() -> Path:
    archive = SHARED / "tgs" / "tgs-salt-identification-challenge.zip"
    if not archive.is_file():
        pytest.skip(f"the real TGS tiles are not at {archive}")
    return archive


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache of decoded tiles."""
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
