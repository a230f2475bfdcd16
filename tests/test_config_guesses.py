"""Keys that people guess are resolved where they can mean one thing only, else suggested."""

from __future__ import annotations

import pytest

from diapir.architectures import ARCHITECTURES
from diapir.config import guesses, load_recipe
from diapir.config.guesses import ELSEWHERE, resolve_key, suggest_key
from diapir.config.reference import key_names
from diapir.errors import ConfigError


@pytest.mark.parametrize(
    ("recipe", "override", "section", "key", "value"),
    [
        ("unet", "lr=1e-3", "optimizer", "lr", 1e-3),
        ("unet", "batch=4", "train", "batch", 4),
        ("unet", "weight-decay=0", "optimizer", "weight_decay", 0),
        ("unet", "train.early-stopping=null", "train", "early_stopping", None),
        ("halite", "scse=false", "model", "scse", False),
        ("unet", "size=64", "preprocess", "size", 64),
    ],
)
def test_a_key_without_its_section_is_set(
    recipe: str, override: str, section: str, key: str, value: object
) -> None:
    assert getattr(getattr(load_recipe(recipe, [override]), section), key) == value


def test_a_key_of_the_top_wins_over_those_of_sections() -> None:
    assert load_recipe("unet", ["name=mine"]).name == "mine"


def test_the_architecture_that_is_set_has_the_say() -> None:
    with pytest.raises(ConfigError, match=r"'model\.dropout' of improved_unet or halite"):
        load_recipe("unet", ["dropout=0.1"])
    assert resolve_key("dropout", "halite") == "model.dropout"
    assert resolve_key("dropout", "unknown") == "dropout"


def test_a_key_of_several_sections_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "key_names", lambda _: ["a.size", "b.size"])
    with pytest.raises(ConfigError, match=r"several sections have a key 'size': a\.size, b\.size"):
        resolve_key("size", "unet")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("learning_rate", "'optimizer.lr'"),
        ("batch-size", "'train.batch'"),
        ("imgsz", "'preprocess.size'"),
        ("train.lr", "'optimizer.lr'"),
        ("epoch", "'train.epochs'"),
        ("encoder", "'model.encoder' of resnet_unet or deeplabv3plus or pspnet or linknet or "),
        ("colour", ""),
        ("", ""),
    ],
)
def test_other_guesses_are_suggested(key: str, meant: str) -> None:
    assert suggest_key(key).startswith(meant)
    assert bool(suggest_key(key)) == bool(meant)


def test_names_of_other_programs_stand_for_keys_that_exist() -> None:
    every = {name for architecture in ARCHITECTURES for name in key_names(architecture)}
    assert set(ELSEWHERE.values()) <= every
    leaves = {name.rpartition(".")[2] for name in every}
    assert not leaves & ELSEWHERE.keys()  # a real key needs no other name
