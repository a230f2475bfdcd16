"""`diapir serve`: what it refuses, and what it serves with. `tests/serving` has the rest."""

from pathlib import Path

import pytest

from diapir.serving import server
from diapir.serving.settings import LEAST_TOKEN, Settings
from tests.cli.conftest import RunCli
from tests.helpers.segy import write_segy
from tests.helpers.tiny import small_bundle


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of each service that would be started."""
    found: list[Settings] = []

    def serve(settings: Settings, started: object) -> None:
        found.append(settings)

    monkeypatch.setattr(server, "serve", serve)
    return found


def test_files_and_a_model_are_told_apart(
    run_cli: RunCli, served: list[Settings], tmp_path: Path
) -> None:
    block = write_segy(tmp_path / "block.sgy", [[[1, -1, 2]] * 3] * 3)
    model = small_bundle(tmp_path / "model").path
    assert run_cli("serve", block).code == 0
    assert run_cli("serve", model, block, "--domain", "time", "--jobs", 3).code == 0
    assert run_cli("serve", "general", tmp_path, "--folder", tmp_path).code == 0
    plain, own, bundled = served
    assert (plain.model, plain.shown, plain.token) == (None, (block,), None)
    assert (own.model, own.shown) == (str(model), (block,))
    assert own.hints.domain == "time"
    assert own.limits.jobs == 3
    assert (bundled.model, bundled.folders) == ("general", (tmp_path,))


def test_others_need_a_token(run_cli: RunCli, served: list[Settings], tmp_path: Path) -> None:
    assert run_cli("serve", tmp_path, "--host", "0.0.0.0").code == 0
    assert len(served[0].token or "") >= LEAST_TOKEN
    short = run_cli("serve", tmp_path, "--token", "abc")
    assert short.code == 2
    assert "--token" in short.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nowhere.sgy"], "nowhere.sgy"),
        (["--folder", "nowhere"], "nowhere"),
        (["--model", "nothing"], "nothing"),
        (["--port", "99999"], "99999"),
        (["--picture-mb", "0"], "--picture-mb"),
    ],
)
def test_what_cannot_be_is_refused(
    run_cli: RunCli, served: list[Settings], words: list[str], named: str
) -> None:
    done = run_cli("serve", *words)
    assert done.code == 2
    assert named in done.stderr
    assert served == []
