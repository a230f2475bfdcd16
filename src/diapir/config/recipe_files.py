"""Recipes read from YAML, merged with `--set section.key=value`, and checked as a whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from diapir.config.faults import did_you_mean, unfit
from diapir.config.recipe_yaml import LONGEST, read_yaml, yaml_reason
from diapir.config.sections import RunConfig
from diapir.errors import ConfigError

_SHOWN = 80
"""Characters of an override that messages show."""


def recipe_names() -> list[str]:
    """Names of the built-in recipes, sorted."""
    root = Path(str(resources.files("diapir.recipes")))
    paths = (path.relative_to(root).with_suffix("") for path in root.rglob("*.yaml"))
    return sorted(path.as_posix() for path in paths)


def load_recipe(recipe: str | Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a recipe and apply overrides.

    Args:
        recipe: the name of a built-in recipe, or the path of a YAML file.
        overrides: `section.key=value` strings; the value is YAML (`[a, b]`, `null`, `1e-3`).

    Raises:
        ConfigError: no such recipe, invalid YAML, an unknown key, a wrong type or value.
    """
    path = _find_recipe(str(recipe))
    try:
        with path.open(encoding="utf-8") as stream:
            values = read_yaml(stream.read(LONGEST + 1))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be read as YAML: {yaml_reason(error)}",
            expected="a YAML file of recipe sections, in UTF-8",
            fix="compare it with a built-in recipe: " + ", ".join(recipe_names()),
        ) from None
    overrides = list(overrides)
    source = f"{path} with --set" if overrides else str(path)
    return parse_config(values, source=source, overrides=overrides)


def parse_config(values: object, *, source: str, overrides: Iterable[str] = ()) -> RunConfig:
    """Validate the values of a recipe (as read from YAML) and apply overrides.

    Raises:
        ConfigError: an unknown key (with the nearest valid one), a wrong type or value.
    """
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(
            f"{source} is a {type(values).__name__} at the top level",
            expected="sections with keys, such as `train: {batch: 8}`",
            fix="write `section:` lines with indented `key: value` lines below them",
        )
    for override in overrides:
        values = _override(values, override)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise unfit(error, source) from None


def config_diff(old: RunConfig, new: RunConfig) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ: `{"train.batch": (8, 16)}`."""
    before, after = _flatten(old.model_dump(mode="json")), _flatten(new.model_dump(mode="json"))
    return {
        key: (before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    }


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _find_recipe(recipe: str) -> Path:
    path = Path(recipe)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise ConfigError(
            f"no recipe file {path}",
            expected="the path of a YAML file, or the name of a built-in recipe",
            fix="built-in recipes: " + ", ".join(recipe_names()),
        )
    if recipe in recipe_names():
        return Path(str(resources.files("diapir.recipes"))) / f"{recipe}.yaml"
    raise ConfigError(
        f"no recipe named {recipe!r}" + did_you_mean(recipe, recipe_names()),
        expected="one of " + ", ".join(recipe_names()),
        fix="choose one of these, or give the path of a YAML file",
    )


def _override(values: dict[str, Any], override: str) -> dict[str, Any]:
    """`values` with one `section.key=value` applied; the argument is not changed."""
    key, equals, text = override.partition("=")
    shown = override if len(override) <= _SHOWN else override[:_SHOWN] + "…"
    if not equals or not key.strip() or not key.isprintable():
        raise ConfigError(
            f"--set {shown!r} is not of the form key=value",
            expected="section.key=value, such as --set train.batch=4",
            fix="write the key, an equals sign and the value without spaces around them",
        )
    try:
        value = read_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"the value of --set {shown!r} is not YAML: {yaml_reason(error)}",
            expected="a YAML value: 4, 1e-3, null, [a, b], text",
            fix="quote the value, for example --set 'track.trackers=[tensorboard]'",
        ) from None
    if isinstance(value, str):
        # YAML 1.1 reads 1e-3 as text; the type of the field decides whether a number is valid
        with contextlib.suppress(ValueError):
            value = float(value)
    changed = dict(values)
    section = changed
    *parents, last = key.strip().split(".")
    for parent in parents:
        inner = section.get(parent)
        section[parent] = dict(inner) if isinstance(inner, dict) else {}
        section = section[parent]
    section[last] = value
    return changed
