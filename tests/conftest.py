"""Fixtures that every part of the tests may use."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_tgs_zip() -> Path:
    archive = SHARED / "tgs" / "tgs-salt-identification-challenge.zip"
    if not archive.is_file():
        pytest.skip(f"the real TGS tiles are not at {archive}")
    return archive


@pytest.fixture
def with_terminal() -> Iterator[None]:
    """SIGHUP as a terminal leaves it, also where the tests run under `nohup`."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache of decoded tiles."""
    monkeypatch.setenv("DIAPIR_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
