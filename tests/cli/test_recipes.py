from __future__ import annotations

import yaml

from diapir.config import load_recipe, parse_config, recipe_names
from tests.cli.conftest import RunCli


def test_all_recipes_are_listed_with_a_line(run_cli: RunCli) -> None:
    done = run_cli("recipes")
    assert done.code == 0
    words = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert set(recipe_names()) <= words
    assert done.stdout.startswith("To start with\n")
    assert max(map(len, done.stdout.splitlines())) <= 100
    groups = run_cli("recipes", "--json").answer["groups"]
    assert sorted(name for group in groups for name in group["recipes"]) == recipe_names()


def test_a_recipe_is_explained_key_by_key(run_cli: RunCli) -> None:
    done = run_cli("recipes", "flagship", "--set", "lr=1e-4")
    assert done.code == 0
    assert done.stdout.startswith("Recipe flagship, with optimizer.lr = 1e-4\n")
    lines = done.stdout.splitlines()
    place = lines.index("  optimizer.lr = 0.0001  (number above 0; default 0.0005)")
    assert lines[place + 1].startswith("      Learning rate")
    assert "  train.log_every = 20  (whole number from 1 to 1,000,000)" in lines
    assert any(line.startswith("  model.scse = true") for line in lines)
    assert lines[-1] == "train it with: diapir train --recipe flagship --data TILES --out RUN"


def test_json_has_value_default_range_and_meaning(run_cli: RunCli) -> None:
    answer = run_cli("recipes", "flagship", "--json").answer
    keys = {key["name"]: key for key in answer["keys"]}
    assert keys["train.batch"] == {
        "name": "train.batch",
        "meaning": keys["train.batch"]["meaning"],
        "values": "whole number from 1 to 1,000,000",
        "default": 8,
        "value": 24,
    }
    assert keys["loss.ce"]["value"] == [1.0, 0.2]


def test_yaml_is_a_recipe(run_cli: RunCli) -> None:
    done = run_cli("recipes", "sprint", "--yaml", "--set", "train.batch", "4")
    assert done.code == 0
    expected = load_recipe("sprint", ["train.batch=4"])
    assert parse_config(yaml.safe_load(done.stdout), source="printed") == expected


def test_an_unknown_recipe_is_a_plain_message(run_cli: RunCli) -> None:
    done = run_cli("recipes", "flagshp")
    assert (done.code, done.stdout) == (2, "")
    assert "did you mean 'flagship'?" in done.stderr
