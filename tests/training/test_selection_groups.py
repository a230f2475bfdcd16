"""A run keeps the groups of `data.groups` whole."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from diapir.config import RunConfig
from diapir.errors import DataError
from diapir.tiles import Split, load_tiles
from diapir.tiles.groups import groups_text
from diapir.training import train


def test_a_run_splits_by_the_groups_of_its_recipe(
    tiny: Callable[..., RunConfig], bright_salt: Path, tmp_path: Path
) -> None:
    ids = load_tiles(bright_salt).ids
    groups = {tile: f"section {number % 5}" for number, tile in enumerate(ids)}
    table = tmp_path / "groups.csv"
    table.write_text(groups_text(groups), encoding="utf-8")
    config = tiny(f"data.groups='{table}'", "train.epochs=1")
    run = tmp_path / "run"
    train(config, bright_salt, run, stream=io.StringIO())
    parts = Split.load(run / "split.json").parts
    homes = [{groups[tile] for tile in part} for part in parts.values()]
    assert not homes[0] & homes[1]
    assert sum(map(len, homes)) == 5


def test_a_run_refuses_groups_of_other_tiles(
    tiny: Callable[..., RunConfig], bright_salt: Path, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("id,group\nother,other\n", encoding="utf-8")
    run = tmp_path / "run"
    with pytest.raises(DataError, match="lacks 24 of the 24 tiles"):
        train(tiny(f"data.groups='{table}'"), bright_salt, run, stream=io.StringIO())
