"""The plan of a comparison: what is trained, and with which settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from diapir.comparison.training_plan import ComparisonPlan
from diapir.comparison.trainings import Training
from diapir.config import RunConfig, config_diff, load_recipe
from diapir.errors import ConfigError
from diapir.tiles import load_tiles
from tests.comparison.made import named


def config_of(training: Training) -> RunConfig:
    """The configuration that a training is given."""
    words = list(training.words)
    return load_recipe(words[1], words[words.index("--set") + 1 :: 2])


def test_all_are_trained_by_one_split_and_the_next_seeds(
    recipes: Path, tiles: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    plan = ComparisonPlan.of(
        named(recipes, "small", "large"),
        seeds=2,
        epochs=7,
        overrides=["track.trackers=[tensorboard]"],
    )
    trainings = plan.trainings(tiles, load_tiles(tiles), out)
    assert [one.run.name for one in trainings] == [
        *("small-seed42", "large-seed42", "small-seed43", "large-seed43")
    ]
    for training in trainings:
        config = config_of(training)
        assert config.seed == training.seed
        assert config.data.split == str((out / "split.json").absolute())
        assert config.data.mask_encoding == "grey8"
        assert config.train.epochs == 7
        assert config.track.trackers == ("tensorboard",)


def test_names_of_bundled_recipes_make_folders(tiles: Path, tmp_path: Path) -> None:
    plan = ComparisonPlan.of(["lite0/unet", "lite0/linknet"])
    assert plan.names == ("lite0/unet", "lite0/linknet")
    assert [one.run.name for one in plan.trainings(tiles, load_tiles(tiles), tmp_path)] == [
        "lite0-unet-seed42",
        "lite0-linknet-seed42",
    ]


def test_a_variant_changes_its_own_keys_only(recipes: Path, tiles: Path, tmp_path: Path) -> None:
    plan = ComparisonPlan.of(
        named(recipes, "small"),
        vary=["no flip: augment.flip=none", "model.base=3 train.batch=2"],
        overrides=["augment.flip=alternate"],
    )
    trainings = plan.trainings(tiles, load_tiles(tiles), tmp_path)
    configs = {training.model: config_of(training) for training in trainings}
    plain, still, wider = configs.values()
    assert list(configs) == [plain.name, still.name, wider.name] == list(plan.names)
    assert still.name == "small, no flip"
    assert [config.augment.flip for config in configs.values()] == [
        "alternate",
        "none",
        "alternate",
    ]
    assert config_diff(plain, wider).keys() == {"model.base", "train.batch", "name"}
    with pytest.raises(ConfigError, match=r"unknown key 'augment\.flop'"):
        ComparisonPlan.of(named(recipes, "small"), vary=["augment.flop=none"])


def test_other_threads_for_one_are_refused(recipes: Path) -> None:
    both = [*named(recipes, "small"), "baseline"]
    with pytest.raises(ConfigError, match=r"device\.name: small cpu, baseline auto"):
        ComparisonPlan.of(both)
    with pytest.raises(ConfigError, match=r"device\.threads: small 1, baseline None") as caught:
        ComparisonPlan.of(both, overrides=["device.name=cpu"])
    assert "--set device.threads=" in caught.value.fix
