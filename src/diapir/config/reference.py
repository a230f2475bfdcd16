"""Every key of a recipe with its meaning, default and range, from the sections that define it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from diapir.architectures import ARCHITECTURES, Section
from diapir.config.sections import RunConfig

MODEL = "model"
"""The section whose keys depend on the architecture."""


@dataclass(frozen=True)
class Key:
    """A key of a recipe.

    Attributes:
        name: with its section, such as `train.batch`.
        meaning: what it does, in a sentence or two.
        values: type and range of its values, such as `whole number from 1`.
        default: its value where a recipe does not have it.
    """

    name: str
    meaning: str
    values: str
    default: Any


@dataclass(frozen=True)
class SectionKeys:
    """A section of a recipe: its name ("" for the top of a recipe), what it is for, its keys."""

    name: str
    about: str
    keys: tuple[Key, ...]


@cache
def sections(architecture: str = "unet") -> tuple[SectionKeys, ...]:
    """All sections of a recipe, with the `model` section of an architecture."""
    top, inner = [], []
    meanings = _meanings(RunConfig)
    for name, field in RunConfig.model_fields.items():
        if name == MODEL:
            inner.append(architecture_keys(architecture))
        elif _is_section(field.annotation):
            inner.append(SectionKeys(name, _about(field.annotation), _keys(field.annotation, name)))
        else:
            top.append(_key(name, field, meanings.get(name)))
    return (SectionKeys("", "The run itself.", tuple(top)), *inner)


@cache
def architecture_keys(architecture: str) -> SectionKeys:
    """The `model` section of an architecture."""
    section = ARCHITECTURES[architecture]
    choice = Key(
        f"{MODEL}.name", "The architecture.", f"one of {', '.join(ARCHITECTURES)}", architecture
    )
    own = [key for key in _keys(section, MODEL) if key.name != choice.name]
    return SectionKeys(MODEL, _about(section), (choice, *own))


def key_names(architecture: str = "unet") -> list[str]:
    """The names of all keys of a recipe."""
    return [key.name for section in sections(architecture) for key in section.keys]


def value_text(value: object) -> str:
    """A value as it is written in YAML on one line."""
    if isinstance(value, tuple):
        value = _listed(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def _listed(value: tuple[Any, ...]) -> list[Any]:
    return [_listed(one) if isinstance(one, tuple) else one for one in value]


def _is_section(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _about(section: type[BaseModel]) -> str:
    return " ".join((section.__doc__ or "").split())


def _keys(section: type[BaseModel], prefix: str) -> tuple[Key, ...]:
    found: list[Key] = []
    meanings = _meanings(section)
    for name, field in section.model_fields.items():
        inside = f"{prefix}.{name}"
        if _is_section(field.annotation):
            found += _keys(field.annotation, inside)
        else:
            found.append(_key(inside, field, meanings.get(name)))
    return tuple(found)


def _meanings(section: type[BaseModel]) -> dict[str, str]:
    """The strings below the fields of a section and of those that it extends."""
    found: dict[str, str] = {}
    for one in reversed(section.__mro__):
        if issubclass(one, Section):
            found |= _below_fields(one.__module__).get(one.__name__, {})
    return found


@cache
def _below_fields(module: str) -> dict[str, dict[str, str]]:
    """The strings below the fields of each class of a module; none without its source."""
    found: dict[str, dict[str, str]] = {}
    with contextlib.suppress(OSError):
        tree = ast.parse(inspect.getsource(sys.modules[module]))
        for section in tree.body:
            if isinstance(section, ast.ClassDef):
                found[section.name] = {
                    field.target.id: text.value.value
                    for field, text in pairwise(section.body)
                    if isinstance(field, ast.AnnAssign)
                    and isinstance(field.target, ast.Name)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                    and isinstance(text.value.value, str)
                }
    return found


def _key(name: str, field: FieldInfo, below: str | None) -> Key:
    meaning = " ".join((field.description or below or "").split())
    values = _values(field.annotation, field.metadata)
    return Key(name, meaning, values, field.get_default(call_default_factory=True))


def _values(annotation: Any, limits: Sequence[Any] = ()) -> str:
    """Type and range of a field's values in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [*limits, *inner[1:]]
        for field in [one for one in inner[1:] if isinstance(one, FieldInfo)]:
            bounds += field.metadata
        return _values(inner[0], bounds)
    if origin in {Union, UnionType}:
        return " or ".join(_alternatives(inner, limits))
    if origin is Literal:
        shown = [value_text(value) for value in inner]
        return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return f"list of: {_values(inner[0])}"
        parts = [_values(one) for one in inner]
        if len(set(parts)) == 1:
            return f"list of {len(parts)}, each: {parts[0]}"
        return f"list of {len(parts)}: {'; '.join(parts)}"
    words = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return words.get(annotation, str(annotation)) + _range(limits)


def _alternatives(inner: Sequence[Any], limits: Sequence[Any]) -> Iterator[str]:
    """The members of a union, null last."""
    named = [value_text(v) for one in inner if get_origin(one) is Literal for v in get_args(one)]
    if named and bool in inner:
        named += ["true", "false"]
    if named:
        yield named[0] if len(named) == 1 else f"one of {', '.join(named)}"
    others = [one for one in inner if get_origin(one) is not Literal and one is not NoneType]
    others = [one for one in others if not (named and one is bool)]
    for one in others:
        yield _values(one, limits)
    if NoneType in inner:
        yield "null"


def _range(limits: Sequence[Any]) -> str:
    """The bounds of a number: ` from 0 to 1`, ` above 0, below 1`; empty where there are none."""
    low = high = ""
    for limit in limits:
        if isinstance(limit, Ge):
            low = f" from {_number(limit.ge)}"
        elif isinstance(limit, Gt):
            low = f" above {_number(limit.gt)}"
        elif isinstance(limit, Le):
            high = f" to {_number(limit.le)}"
        elif isinstance(limit, Lt):
            high = f", below {_number(limit.lt)}"
    return low + (high if low else high.removeprefix(","))


def _number(value: Any) -> str:
    """A bound of a range: 1,000,000, or 2**32 where it is a power of two of many digits."""
    if isinstance(value, int) and value > 1 << 20 and value & (value - 1) == 0:
        return f"2**{value.bit_length() - 1}"
    whole = isinstance(value, int) or float(value).is_integer()
    return f"{int(value):,}" if whole else f"{value:g}"
