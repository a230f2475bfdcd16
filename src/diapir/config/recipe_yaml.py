"""YAML as recipes and `--set` use it: no duplicate keys, no dates, one kind of error."""

from __future__ import annotations

from typing import Any

import yaml

_MAX_BITS = 1024
"""Bits of the largest integer that is read; Python refuses to print one of 4,300 digits."""
LONGEST = 200_000
"""Most characters of a recipe, which PyYAML reads in a second or two; the longest has 3,000."""
_DEEPEST = 64
"""Most brackets within each other."""
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys, of which YAML would silently take the last.

    No key of a recipe is a date, but a name may look like one: 2026-02-30 is text.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        try:
            value: int = super().construct_yaml_int(node)
        except (ValueError, IndexError):
            value = 1 << _MAX_BITS
        if value.bit_length() > _MAX_BITS:
            raise yaml.constructor.ConstructorError(
                problem="not an integer, or one of hundreds of digits",
                problem_mark=node.start_mark,
            )
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def read_yaml(text: str) -> object:
    """The value of a YAML document.

    Raises:
        yaml.YAMLError: it is not YAML, is nested too deep, gives a key twice, or has a tag that its
            value does not fit.
    """
    if len(text) > LONGEST:
        raise yaml.YAMLError(f"it has more than {LONGEST:,} characters")
    depth = 0
    for character in text:  # PyYAML's time grows with the square of the depth
        depth += (character in "[{") - (character in "]}")
        if depth > _DEEPEST:
            raise yaml.YAMLError("it is nested too deep")
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise yaml.YAMLError("it is nested too deep") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # PyYAML converts a scalar without first checking that it fits its tag
        raise yaml.YAMLError("a value does not fit its tag") from None


def yaml_reason(error: Exception) -> str:
    """The message and position of an error, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} (line {mark.line + 1}, column {mark.column + 1})"
    return str(error).partition("\n")[0]
