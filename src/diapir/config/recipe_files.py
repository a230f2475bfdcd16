"""Recipes read from YAML, merged with `--set section.key=value`, and checked as a whole."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from diapir.architectures import ARCHITECTURES
from diapir.config.faults import did_you_mean, unfit
from diapir.config.guesses import resolve_key
from diapir.config.recipe_yaml import LONGEST, read_yaml, yaml_reason
from diapir.config.sections import RunConfig
from diapir.errors import ConfigError

_SHOWN = 80
"""Characters of an override that messages show."""

_TITLES = {
    "": "To start with",
    "compact": "For two processor cores: each architecture at 128 px, from scratch",
    "lite0": "For two processor cores: on EfficientNet-Lite0 with ImageNet weights, at 128 px",
    "architectures": "For a GPU: each architecture at its published size, as baseline",
    "ablation": "Ablations of the U-Net",
}
"""Titles of the kinds of recipes, in their order."""


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
    source, values = _read_recipe(recipe)
    overrides = list(overrides)
    source = f"{source} with --set" if overrides else source
    return parse_config(values, source=source, overrides=overrides)


def describe_origin(recipe: str | Path, overrides: Iterable[str] = ()) -> str:
    """Where a configuration comes from: its recipe, and the keys that overrides set, in full.

    Raises:
        ConfigError: as `load_recipe`.
    """
    source, values = _read_recipe(recipe)
    settings = _resolved(values, overrides)
    changed = ", ".join(f"{key} = {text.strip()}" for key, text in settings)
    return f"{source}, with {changed}" if changed else source


def recipe_about(name: str) -> str:
    """The first sentence of the comment at the head of a built-in recipe."""
    lines = _built_in(name).read_text(encoding="utf-8").splitlines()
    head = takewhile(lambda line: line.startswith("#"), lines)
    text = " ".join(line.lstrip("# ") for line in head)
    return text.partition(". ")[0].removesuffix(".")


@dataclass(frozen=True)
class RecipeGroup:
    """Recipes of one kind: a title, and a line about each recipe by its name."""

    title: str
    recipes: Mapping[str, str]


def recipe_groups() -> list[RecipeGroup]:
    """The built-in recipes by kind; those of one folder are of one kind."""
    groups: dict[str, dict[str, str]] = {}
    for name in recipe_names():
        folder, slash, _ = name.rpartition("/")
        kind = folder if slash else "architectures" if name in ARCHITECTURES else ""
        groups.setdefault(kind, {})[name] = recipe_about(name)
    order = sorted(groups, key=lambda kind: [*_TITLES, kind].index(kind))
    return [RecipeGroup(_TITLES.get(kind, kind), groups[kind]) for kind in order]


def _read_recipe(recipe: str | Path) -> tuple[str, object]:
    """How messages call a recipe, and its values as read from YAML."""
    path = _find_recipe(str(recipe))
    try:
        with path.open(encoding="utf-8") as stream:
            values = read_yaml(stream.read(LONGEST + 1))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be read as YAML: {yaml_reason(error)}",
            expected="a YAML file of recipe sections, in UTF-8",
            fix="compare it with a built-in recipe: diapir recipes baseline --yaml",
        ) from None
    return (f"recipe {recipe}" if path != Path(recipe) else str(path)), values


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
    for key, text in _resolved(values, overrides):
        values = _override(values, key, text)
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
            fix="correct the path; `diapir recipes` lists the built-in recipes",
        )
    if recipe in recipe_names():
        return _built_in(recipe)
    raise ConfigError(
        f"no recipe named {recipe!r}" + _meant(recipe),
        expected="the name of a built-in recipe, or the path of a YAML file",
        fix="`diapir recipes` lists the recipes, `diapir recipes NAME` explains one",
    )


def _built_in(name: str) -> Path:
    return Path(str(resources.files("diapir.recipes"))) / f"{name}.yaml"


def _meant(recipe: str) -> str:
    """The recipes that an unknown name probably stands for, in brackets.

    Spelling does not count (U-Net, DeepLabV3+), and a name without its folder finds all recipes
    of that name.
    """
    plain = re.sub("[^a-z0-9/]", "", recipe.lower().replace("+", "plus"))
    names = {re.sub("[^a-z0-9/]", "", name): name for name in recipe_names()}
    found = [name for key, name in names.items() if plain and plain in {key, key.split("/")[-1]}]
    found.sort(key=lambda name: "/" in name)
    if not found:
        return did_you_mean(recipe.lower(), recipe_names())
    return f" (did you mean {' or '.join(map(repr, found))}?)"


def _resolved(values: object, overrides: Iterable[str]) -> list[tuple[str, str]]:
    """Overrides as whole keys, with their section, and the text of their values.

    Raises:
        ConfigError: an override is not of the form key=value, or its key is that of several
            sections.
    """
    pairs = [_split(override) for override in overrides]
    model = values.get("model") if isinstance(values, dict) else None
    architecture = model.get("name") if isinstance(model, dict) else None
    for key, text in pairs:
        architecture = text.strip() if key == "model.name" else architecture
    return [(resolve_key(key, str(architecture)), text) for key, text in pairs]


def _split(override: str) -> tuple[str, str]:
    """The key of an override and the text of its value."""
    key, equals, text = override.partition("=")
    shown = override if len(override) <= _SHOWN else override[:_SHOWN] + "…"
    if not equals or not key.strip() or not key.isprintable():
        raise ConfigError(
            f"--set {shown!r} is not of the form key=value",
            expected="section.key=value, such as --set train.batch=4",
            fix="write the key, an equals sign and the value without spaces around them",
        )
    return key.strip(), text


def _override(values: dict[str, Any], key: str, text: str) -> dict[str, Any]:
    """`values` with one key changed; the argument is not changed."""
    try:
        value = read_yaml(text)
    except yaml.YAMLError as error:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        raise ConfigError(
            f"the value of --set {f'{key}={shown}'!r} is not YAML: {yaml_reason(error)}",
            expected="a YAML value: 4, 1e-3, null, [a, b], text",
            fix="quote the value, for example --set 'track.trackers=[tensorboard]'",
        ) from None
    if isinstance(value, str):
        # YAML 1.1 reads 1e-3 as text; the type of the field decides whether a number is valid
        with contextlib.suppress(ValueError):
            value = float(value)
    changed = dict(values)
    section = changed
    *parents, last = key.split(".")
    for parent in parents:
        inner = section.get(parent)
        section[parent] = dict(inner) if isinstance(inner, dict) else {}
        section = section[parent]
    section[last] = value
    return changed
