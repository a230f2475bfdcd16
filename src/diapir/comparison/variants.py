"""What `diapir compare` trains: recipes, each as it is and with each of some variations."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diapir.errors import ConfigError

_FORM = '--vary "LABEL: key=value key=value", of which the label may be left out'


@dataclass(frozen=True)
class Variant:
    """A recipe and what is changed of it.

    Attributes:
        name: what the model is called.
        recipe: a shipped recipe's name, or a file.
        settings: `section.key=value`, applied after those of the whole comparison.
    """

    name: str
    recipe: str
    settings: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name, as a file system takes it."""
        return re.sub(r"[^\w.=+-]+", "-", self.name).strip("-")


def variants(recipes: Sequence[str], variations: Sequence[str]) -> dict[str, Variant]:
    """All that is trained, by name: each recipe, then its variations.

    A variation of `augment.flip=none` is called so after its recipe, or by its label.

    Args:
        recipes: names of shipped recipes, or files.
        variations: `LABEL: key=value key=value`; the label may be left out.

    Raises:
        ConfigError: fewer than two, two of one name, or a variation that is none.
    """
    found: dict[str, Variant] = {}
    read = [_read(variation) for variation in variations]
    for variant in _all(recipes, read):
        if variant.folder in {other.folder for other in found.values()}:
            kinds = "recipes and variations" if variations else "recipes"
            raise ConfigError(
                f"two {kinds} are called {variant.name}: {', '.join([*recipes, *variations])}",
                expected=f"{kinds} of different names",
                fix="name each once; rename a file, or give a variation another label",
            )
        found[variant.name] = variant
    if len(found) < 2:
        raise ConfigError(
            f"--recipes names {len(found)}",
            expected="at least two recipes, joined by commas, or one and a --vary",
            fix="--recipes unet,linknet; one alone is trained by `diapir train`",
        )
    return found


def _all(
    recipes: Sequence[str], variations: Sequence[tuple[str, tuple[str, ...]]]
) -> Iterator[Variant]:
    for recipe in recipes:
        is_file = Path(recipe).suffix in {".yaml", ".yml"}
        name = Path(recipe).stem if is_file else recipe
        yield Variant(name, recipe)
        for label, settings in variations:
            varied = f"{name}, {label}"
            # the name goes into the run's own configuration, its report and its card
            yield Variant(varied, recipe, (*settings, f"name={json.dumps(varied)}"))


def _read(variation: str) -> tuple[str, tuple[str, ...]]:
    """The label and the settings of a variation."""
    before, colon, after = variation.partition(":")
    label, words = (before.strip(), after) if colon and "=" not in before else ("", variation)
    try:
        settings = tuple(shlex.split(words))
    except ValueError as error:
        raise ConfigError(
            f"--vary {variation!r} cannot be read: {error}",
            expected=_FORM,
            fix="close what is quoted",
        ) from None
    if not settings or not all("=" in setting for setting in settings):
        raise ConfigError(
            f"--vary {variation!r} has no key=value form",
            expected=_FORM,
            fix='--vary "no flip: augment.flip=none"',
        )
    return label or " ".join(settings), settings
