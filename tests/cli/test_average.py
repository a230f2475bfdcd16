from __future__ import annotations

from pathlib import Path

import numpy as np

from diapir import bundle as bundles
from tests.cli.conftest import RunCli


def test_the_average_is_a_model(
    run_cli: RunCli, trained: Path, second: Path, survey: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "averaged"
    words = ("average", trained, second, "--out", out)
    assert run_cli(*words).code == 0
    one, other, made = (bundles.load(path) for path in (trained, second, out))
    for name, value in made.tensors().items():
        mean = (one.tensors()[name] + other.tensors()[name]) / 2
        np.testing.assert_allclose(value, mean, atol=1e-6)
    assert made.info.training["data hash"] == one.info.training["data hash"]
    assert "seed" not in made.info.training
    assert one.info.weights_sha256[:12] in made.info.training["average of"]
    assert made.info.tile == one.info.tile
    assert made.info.metrics == {}
    assert made.info.training_tiles == one.info.training_tiles  # of one split
    done = run_cli(*words, "--data", survey)  # again, in its place
    assert done.code == 0
    kept = len(list((survey / "images").glob("*.png"))) - 10
    assert f"measured on {kept} tiles" in done.stdout
    split = f"{trained}/split.json:val"
    assert run_cli("evaluate", out, "--data", survey, "--split", split).code == 0


def test_what_cannot_be_averaged_is_refused(
    run_cli: RunCli, trained: Path, second: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "notes.txt").touch()
    for words, message in (
        ((trained,), "1 model to average"),
        ((trained, trained / "best"), "same model"),
        ((trained, second, "--out", second), "is not an averaged model"),
        ((trained, second, "--out", second / "best"), "is not an averaged model"),
        ((trained, second, "--out", taken), "is not an averaged model"),
    ):
        given = words if "--out" in words else (*words, "--out", tmp_path / "out")
        done = run_cli("average", *given)
        assert done.code == 2, words
        assert message in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["taken", "notes.txt"]
