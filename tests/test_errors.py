import importlib.metadata
import json
import pickle
from pathlib import Path

import pytest

from diapir.errors import DataError, DiapirError, MissingDependencyError, install_command


@pytest.mark.parametrize(
    "error",
    [
        DataError("two masks", expected="one", fix="remove the other"),
        MissingDependencyError("zarr", "volume"),
    ],
)
def test_errors_travel_between_processes(error: DiapirError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert (again.found, again.expected, again.fix) == (error.found, error.expected, error.fix)


class Installed:
    """A distribution with a direct_url.json (PEP 610), or without one."""

    def __init__(self, origin: object) -> None:
        self.text = origin if isinstance(origin, str) or origin is None else json.dumps(origin)

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.text


CHECKOUT = 'pip install -e ".[train]" in a checkout of diapir'
FROM_INDEX = 'pip install "diapir[train]"'


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, FROM_INDEX),
        ("", FROM_INDEX),
        ("{", FROM_INDEX),
        ("[]", FROM_INDEX),
        ({"url": "file:///gone/diapir", "dir_info": {"editable": True}}, CHECKOUT),
        (
            {"url": "https://example.org/diapir.git", "vcs_info": {"vcs": "git"}},
            'pip install "diapir[train] @ git+https://example.org/diapir.git"',
        ),
        (
            {"url": "file:///wheels/diapir-1-py3-none-any.whl", "archive_info": {}},
            'pip install "diapir[train] @ file:///wheels/diapir-1-py3-none-any.whl"',
        ),
    ],
)
def test_an_extra_comes_from_where_diapir_came_from(
    origin: object, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed(origin))
    assert install_command("train") == command


@pytest.mark.parametrize(("editable", "option"), [(True, "-e "), (False, "")])
def test_an_extra_of_a_checkout_is_installed_from_it(
    editable: bool, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my code"
    folder.mkdir()
    origin = {"url": folder.as_uri(), "dir_info": {"editable": editable}}
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: Installed(origin))
    assert install_command("train") == f'pip install {option}"{folder}[train]"'


def test_a_copy_that_is_not_installed_names_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Installed:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert install_command("train") == CHECKOUT
