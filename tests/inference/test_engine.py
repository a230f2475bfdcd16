import builtins
import sys
from typing import Any

import pytest

from diapir.bundle import Bundle
from diapir.errors import MissingDependencyError
from diapir.inference.engine import open_engine


def test_a_bundle_of_weights_runs_in_torch(bundle: Bundle) -> None:
    assert open_engine(bundle, device="cpu").name == "torch on cpu"


def test_without_torch_the_extra_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def without_torch(name: str, *rest: Any, **named: Any) -> Any:
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return genuine(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "diapir.inference.torch_engine", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(MissingDependencyError, match="'torch' is not installed") as caught:
        open_engine(bundle)
    assert caught.value.mend == 'pip install "diapir[train]"'
