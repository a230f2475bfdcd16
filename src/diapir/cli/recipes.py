"""`diapir recipes`: the built-in recipes, or one recipe with every key explained."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from diapir.cli.options import Flag, Settings
from diapir.cli.output import Answer, Injected, Output

if TYPE_CHECKING:
    from diapir.config import RecipeGroup
    from diapir.config.reference import Key, SectionKeys

WIDTH = 100
"""Width of the text in characters."""

app = App(
    name="recipes",
    help_epilogue="""Examples:

  diapir recipes
  diapir recipes flagship                 every key: value, range, meaning
  diapir recipes flagship --set lr=1e-3   with a key changed
  diapir recipes flagship --yaml > mine.yaml
  diapir train --recipe mine.yaml --data tgs.zip --out runs/mine""",
)


@app.default
def recipes(
    name: Annotated[str | None, Parameter(show_default=False)] = None,
    /,
    *,
    overrides: Settings = (),
    yaml: Flag = False,
    output: Injected,
) -> Answer:
    """List the built-in recipes, or explain one.

    Of one recipe all keys are shown, those left at their defaults as well: the
    value, the default if it is another, the range, and what the key does.

    Args:
        name: a built-in recipe or a YAML file.
        overrides: change one key, as in train.batch=4; repeatable.
        yaml: print the recipe with all its keys as YAML, to start one of your own.
        output: where lines and the answer go.
    """
    from diapir.config import describe_origin, load_recipe, recipe_groups
    from diapir.config.reference import sections

    if name is None:
        return _list(recipe_groups(), output)
    config = load_recipe(name, overrides)
    explained, values = sections(config.model.name), config.model_dump()
    if yaml:
        output.say(config.to_yaml().rstrip("\n"))
    else:
        origin = describe_origin(name, overrides)
        output.say(f"{origin[:1].upper()}{origin[1:]}")
        for section in explained:
            output.say("", *_section(section, values))
        output.say("", f"train it with: diapir train --recipe {name} --data TILES --out RUN")
    keys = [
        asdict(key) | {"value": _value(values, key.name)}
        for section in explained
        for key in section.keys
    ]
    return Answer({"recipe": name, "keys": keys})


def _list(groups: Iterable[RecipeGroup], output: Output) -> Answer:
    for place, group in enumerate(groups):
        output.say(*([""] if place else []), group.title)
        for name, about in group.recipes.items():
            output.say(*_hanging(f"  {name:<22}  ", about))
    output.say("", "`diapir recipes NAME` explains one; docs/recipes.md has them all")
    return Answer(
        {"groups": [{"title": one.title, "recipes": dict(one.recipes)} for one in groups]}
    )


def _section(section: SectionKeys, values: dict[str, Any]) -> Iterator[str]:
    yield from _hanging(f"{section.name}  " if section.name else "", section.about)
    for key in section.keys:
        yield from key_lines(key, _value(values, key.name))


def key_lines(key: Key, value: object) -> Iterator[str]:
    """A key of a recipe for people: its value, what is allowed, and what it does."""
    from diapir.config.reference import value_text

    default = "" if value == key.default else f"; default {value_text(key.default)}"
    yield from _hanging(f"  {key.name} = {value_text(value)}  ", f"({key.values}{default})", 6)
    yield from _hanging("      ", key.meaning)


def _value(values: Any, name: str) -> object:
    for part in name.split("."):
        values = values[part]
    return values


def _hanging(start: str, text: str, indent: int | None = None) -> list[str]:
    """Text after a beginning, in lines that are indented as far as the text's first."""
    further = " " * (len(start) if indent is None else indent)
    return textwrap.wrap(
        start + text,
        WIDTH,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
