"""Arguments of the functions: paths, options by name, and recipes with changes."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from diapir.config import RunConfig, load_recipe, parse_config
from diapir.errors import ConfigError

Paths = str | os.PathLike[str]
"""A path, or anything that stands for one, as runs and models do."""

Overrides = Mapping[str, Any] | Sequence[str]
"""Changes of a recipe: `{"train.batch": 4}`, or `["train.batch=4"]` as `--set` takes them."""

_OPTION = re.compile(r"--([a-z][a-z-]*)(?: (none|auto|brightness|reversed|[A-Z][A-Z:]*))?")


def paths(given: Paths | Sequence[Paths]) -> list[Path]:
    """One path or several, as a list; models that were loaded as one are several."""
    found: list[Path] = []
    for one in (given,) if isinstance(given, str | os.PathLike) else given:
        members = getattr(one, "chosen", ())
        found += map(Path, members if len(members) > 1 else [one])
    return found


def options(given: Mapping[str, Any], *kinds: type, without: Sequence[str] = ()) -> list[Any]:
    """Options by name, as the dataclasses that have them; each keeps its own defaults.

    Args:
        given: keyword arguments.
        kinds: the dataclasses. A name that several have goes to each.
        without: names that are not allowed here.

    Raises:
        ConfigError: no dataclass has such an option, or its value is not allowed.
    """
    known = {kind: {field.name for field in fields(kind)} - set(without) for kind in kinds}
    names = sorted(set().union(*known.values()))
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
            raise ConfigError(
                f"unknown argument {name!r}" + (f" (did you mean {close[0]!r}?)" if close else ""),
                expected=f"one of {', '.join(names)}",
                fix="correct it, or leave it out",
            )
    return [
        kind(**{name: value for name, value in given.items() if name in known[kind]})
        for kind in kinds
    ]


def recipe_of(recipe: Paths | RunConfig, overrides: Overrides = ()) -> RunConfig:
    """A recipe with changes.

    Args:
        recipe: the name of a built-in recipe, a YAML file, or a recipe that was loaded already.
        overrides: what to change.

    Raises:
        ConfigError: no such recipe, or a key or value that cannot be used.
    """
    changes = set_words(overrides)
    if isinstance(recipe, RunConfig):
        source = f"the recipe {recipe.name}"
        given = recipe.model_dump(mode="json", exclude_unset=True)
        return parse_config(given, source=source, overrides=changes)
    return load_recipe(os.fspath(recipe), changes)


def set_words(overrides: Overrides) -> list[str]:
    """Changes of a recipe as `--set` takes them: `train.batch=4`.

    Raises:
        ConfigError: a value that a recipe cannot hold.
    """
    if isinstance(overrides, str):
        return [overrides]
    return [*map(_override, overrides.items())] if isinstance(overrides, Mapping) else [*overrides]


def _override(change: tuple[str, Any]) -> str:
    key, value = change
    value = value.tolist() if hasattr(value, "tolist") else value
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    value = list(value) if isinstance(value, tuple) else value
    try:
        text = yaml.safe_dump(value, default_flow_style=True, width=2**20)
    except yaml.YAMLError:
        raise ConfigError(
            f"{key} = {value!r}",
            expected="a number, text, true or false, None, or a list of these",
            fix="correct the value; functions and modules are given as loss= and model=",
        ) from None
    return f"{key}={text.removesuffix('...' + chr(10)).strip()}"


def in_python(note: str) -> str:
    """A note with the names of options as Python spells them."""

    def spelled(option: re.Match[str]) -> str:
        name, value = option[1].replace("-", "_"), option[2]
        return f"{name}=…" if value is None or value.isupper() else f'{name}="{value}"'

    return _OPTION.sub(spelled, note)
