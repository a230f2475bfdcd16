from __future__ import annotations

import gc

import pytest

from diapir.cli.loading import loading


def test_garbage_is_collected_again_afterwards() -> None:
    assert gc.isenabled()
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ValueError, match="broken"), loading():
        raise ValueError("broken")
    assert gc.isenabled()


def test_one_within_another_changes_nothing() -> None:
    with loading():
        with loading():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
