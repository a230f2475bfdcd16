"""Errors of a recipe in words: the key, what was found, and the nearest valid key or value."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from diapir.architectures import ARCHITECTURES
from diapir.config.guesses import suggest_key
from diapir.config.sections import RunConfig
from diapir.errors import ConfigError

_SHORT = reprlib.Repr()  # values may be as large as a file
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 80, 80


def unfit(error: ValidationError, source: str) -> ConfigError:
    """The error of an invalid recipe, from pydantic's error.

    Args:
        error: all that pydantic found.
        source: where the recipe comes from.
    """
    faults: dict[str, list[str]] = {}  # messages by key; of a union each choice has its own
    fixes = []
    try:
        issues = error.errors()
    except UnicodeError as unreadable:
        return ConfigError(
            f"{source} holds text that is not valid Unicode: {unreadable}",
            expected="keys and values in Unicode, without escapes such as \\ud800",
            fix="correct the text",
        )
    for issue in issues:
        parts = list(issue["loc"])
        # pydantic puts the union's tag into the path
        tagged = parts[:1] == ["model"] and len(parts) > 1
        architecture = str(parts.pop(1)) if tagged else ""
        location = _known(parts, architecture)
        key = ".".join(location)
        if issue["type"] == "extra_forbidden":
            valid = _valid_keys(location[:-1], architecture)
            line = f"unknown key {key!r}" + (
                did_you_mean(location[-1], valid) or _elsewhere(key, architecture)
            )
            where = ".".join(location[:-1]) or "a recipe"
            fixes.append(f"keys of {where}: {', '.join(valid)}; `diapir recipes NAME` explains all")
            faults[line] = []
            continue
        found = issue["input"]
        if issue["type"].startswith("union_tag"):
            fixes.append("architectures: " + ", ".join(ARCHITECTURES))
            key, found = "model.name", issue["ctx"].get("tag", {})
        key = key or "a key"
        line = key if isinstance(found, dict) else f"{key} = {_SHORT.repr(found)}"
        faults.setdefault(line, []).append(_complaint(issue, location))
    return ConfigError(
        f"{source}: "
        + "; ".join(": ".join(filter(None, (line, " or ".join(f)))) for line, f in faults.items()),
        expected="known keys with values of their type and range",
        fix="; ".join(dict.fromkeys(fixes)) or "correct the value in the recipe or in --set",
    )


def _elsewhere(key: str, architecture: str) -> str:
    """What an unknown key probably stands for in any section, in brackets."""
    meant = suggest_key(key, architecture or "unet")
    return f" (did you mean {meant}?)" if meant else ""


def _complaint(issue: ErrorDetails, location: Sequence[str]) -> str:
    """Pydantic's message about one value, in terms of YAML."""
    if issue["type"] == "union_tag_invalid":
        name = issue["ctx"]["tag"]
        return f"there is no architecture of this name{did_you_mean(name, ARCHITECTURES)}"
    if issue["type"] == "union_tag_not_found":
        return "it is required"
    if issue["type"] in {"model_type", "model_attributes_type"}:
        keys, found = _valid_keys(location), issue["input"]
        hint = ""
        if location == ["model"] and isinstance(found, str) and found in ARCHITECTURES:
            hint = f" (the recipe {found} has this architecture)"
        elif isinstance(found, str) and "name" in keys:
            hint = f" (did you mean '{location[-1]}.name'?)"
        return f"it should be a section with the keys {', '.join(keys)}{hint}"
    if issue["type"] == "tuple_type":
        return "it should be a list, such as [a, b]"
    message = issue["msg"].removeprefix("Value error, ").partition(", unable to")[0]
    message = message.replace("Input should be", "it should be")
    if issue["type"] == "literal_error" and isinstance(issue["input"], str):
        expected = str(issue["ctx"]["expected"]).replace(" or ", ", ").split(", ")
        message += did_you_mean(issue["input"], [name.strip("'") for name in expected])
    return message


def _known(location: Sequence[int | str], architecture: str) -> list[str]:
    """A location without the parts by which pydantic distinguishes the types of a union."""
    known = [str(part) for part in location[:1]]
    for part in location[1:]:
        if isinstance(part, int) or _valid_keys(known, architecture):
            known.append(str(part))
    return known


def _valid_keys(location: Sequence[str], architecture: str = "unet") -> list[str]:
    section: Any = RunConfig
    for part in location:
        fields = getattr(section, "model_fields", {})
        if part not in fields:
            return []
        section = fields[part].annotation
        if part == "model":
            section = ARCHITECTURES.get(architecture)
    return list(getattr(section, "model_fields", {}))


def did_you_mean(found: str, valid: Iterable[str]) -> str:
    """The valid name that is most similar, in brackets; empty where none is similar."""
    close = difflib.get_close_matches(found, list(valid), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
