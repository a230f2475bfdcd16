"""The recipes that `diapir compare` trains, and variants of each."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diapir.errors import ConfigError
from diapir.text import plural

_FORM = '--vary "LABEL: key=value key=value"; the label is optional'


@dataclass(frozen=True)
class Variant:
    """A recipe and the settings changed in it.

    Attributes:
        name: of the model.
        recipe: name of a bundled recipe, or a file.
        settings: `section.key=value`, applied after those of the whole comparison.
    """

    name: str
    recipe: str
    settings: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The name as a folder name."""
        return re.sub(r"[^\w.=+-]+", "-", self.name).strip("-")


def variants(recipes: Sequence[str], vary: Sequence[str]) -> dict[str, Variant]:
    """Everything to train, by name: each recipe, then its variants.

    A variant is named after its recipe and its label, or its settings if it has no label.

    Args:
        recipes: names of bundled recipes, or files.
        vary: `LABEL: key=value key=value`; the label is optional.

    Raises:
        ConfigError: fewer than two, two with the same name, or a variant that cannot be read.
    """
    found: dict[str, Variant] = {}
    read = [_read(text) for text in vary]
    for variant in _all(recipes, read):
        if variant.folder in {other.folder for other in found.values()}:
            kinds = "recipes and variants" if vary else "recipes"
            raise ConfigError(
                f"two {kinds} are named {variant.name}: {', '.join([*recipes, *vary])}",
                expected=f"{kinds} with different names",
                fix="name each once; rename a file, or give a variant another label",
            )
        found[variant.name] = variant
    if len(found) < 2:
        raise ConfigError(
            f"--recipes names {plural(len(found), 'recipe')}",
            expected="at least two recipes, joined by commas, or one and a --vary",
            fix="--recipes unet,linknet; to train a single one, use `diapir train`",
        )
    return found


def _all(
    recipes: Sequence[str], changes: Sequence[tuple[str, tuple[str, ...]]]
) -> Iterator[Variant]:
    for recipe in recipes:
        is_file = Path(recipe).suffix in {".yaml", ".yml"}
        name = Path(recipe).stem if is_file else recipe
        yield Variant(name, recipe)
        for label, settings in changes:
            full = f"{name}, {label}"
            # the name goes into the run's own configuration, its report and its card
            yield Variant(full, recipe, (*settings, f"name={json.dumps(full)}"))


def _read(text: str) -> tuple[str, tuple[str, ...]]:
    """Label and settings of a --vary."""
    before, colon, after = text.partition(":")
    label, words = (before.strip(), after) if colon and "=" not in before else ("", text)
    try:
        settings = tuple(shlex.split(words))
    except ValueError as error:
        raise ConfigError(
            f"--vary {text!r} cannot be read: {error}",
            expected=_FORM,
            fix="close the quotation marks",
        ) from None
    if not settings or not all("=" in setting for setting in settings):
        raise ConfigError(
            f"--vary {text!r} is not of the form key=value",
            expected=_FORM,
            fix='--vary "no flip: augment.flip=none"',
        )
    return label or " ".join(settings), settings
