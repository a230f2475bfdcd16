from pathlib import Path

import pytest

from diapir.errors import ConfigError
from diapir.serving.settings import Limits, Settings, is_loopback, new_token


def test_a_network_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(out=tmp_path, host="0.0.0.0")
    assert "--token" in caught.value.fix
    assert Settings(out=tmp_path, host="0.0.0.0", token=new_token()).token


@pytest.mark.parametrize("token", ["short", "with blanks in it", "x" * 11, "ünicodeünicode"])
def test_a_weak_token_is_refused(tmp_path: Path, token: str) -> None:
    with pytest.raises(ConfigError):
        Settings(out=tmp_path, token=token)


def test_limits_are_above_0_and_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Limits(picture_mb=0)
    assert "--picture-mb" in caught.value.found


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_cannot_be_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(ConfigError):
        Settings(out=tmp_path, port=port)


def test_loopback() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "10.0.0.1", "example.org", "::"))
