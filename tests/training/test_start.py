"""A training that starts from the weights of an earlier one."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diapir import bundle
from diapir.config import RunConfig
from diapir.errors import BundleError, ConfigError
from diapir.training import train

Recipe = Callable[..., RunConfig]


def test_a_run_starts_from_an_earlier_one(bright_salt: Path, tiny: Recipe, tmp_path: Path) -> None:
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    said = io.StringIO()
    config = tiny("train.epochs=1", f"train.start={tmp_path / 'first'}", "optimizer.lr=1e-12")
    train(config, bright_salt, tmp_path / "second", stream=said)
    first, second = (bundle.load(tmp_path / name).tensors() for name in ("first", "second"))
    assert all(np.allclose(first[name], second[name], atol=1e-6) for name in first)
    assert "Started from tiny" in said.getvalue()


def test_a_model_that_does_not_fit_is_refused(
    bright_salt: Path, tiny: Recipe, tmp_path: Path
) -> None:
    train(tiny("train.epochs=1"), bright_salt, tmp_path / "first", stream=io.StringIO())
    wider = tiny("model.base=4", f"train.start={tmp_path / 'first'}")
    with pytest.raises(ConfigError, match="instead of"):
        train(wider, bright_salt, tmp_path / "second", stream=io.StringIO())
    with pytest.raises(BundleError):
        train(
            tiny(f"train.start={tmp_path / 'none'}"),
            bright_salt,
            tmp_path / "third",
            stream=io.StringIO(),
        )
