"""Recipes and `--set`: YAML that is damaged, mistyped, nested, tagged or out of range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from diapir.config import load_recipe, recipe_names
from tests.fuzz.mutate import hostile, pick, spoil_bytes, spoil_text, spoil_tree
from tests.fuzz.target import Rng, later

_VALUES = (
    *("!!int ''", "!!bool x", "!!float x", "!!timestamp x", "!!binary x", "!!map [1]", "!!set [a]"),
    *("!!omap [1]", "!!pairs 1", "!!null x", "!!str [a]", "!!python/name:os.system", "2001-99-99"),
    *("2026-02-30", "12:61:99", "0b", "0x", "0o9", "1_", "9" * 5000, "0x" + "f" * 5000, "&a [*a]"),
    *(
        "{" * 2000,
        "&a [*a]",
        "&a {b: *a}",
        "<<: [1]",
        "{<<: 1}",
        "{[]: 1}",
        "{{}: 1}",
        "? [a]\n: b",
    ),
    *(
        '"\\ud800"',
        '"\\x00"',
        ".inf",
        "-.INF",
        ".nan",
        "~",
        "=",
        "<<",
        "|",
        ">",
        "%",
        "@",
        "`",
        "- -",
    ),
)


def _yaml(rng: Rng, tree: Any) -> str:
    """A recipe with anchors that multiply, merges, several documents, or keys twice."""
    text = yaml.safe_dump(tree, sort_keys=False)
    key = pick(rng, tuple(tree))
    kind = int(rng.integers(7))
    if kind == 0:  # each anchor holds the one before it several times
        width, depth = int(rng.integers(2, 12)), int(rng.integers(2, 30))
        opening, closing = pick(rng, (("[", "]"), ("{k0: ", "}")))
        rows = ["a0: &a0 [x]"]
        for level in range(1, depth):
            parts = [f"*a{level - 1}"] * width
            if opening != "[":
                parts = [parts[0], *(f"k{n}: {part}" for n, part in enumerate(parts[1:], 1))]
            rows.append(f"a{level}: &a{level} {opening}{', '.join(parts)}{closing}")
        return "\n".join([*rows, f"{key}: *a{depth - 1}", text])
    if kind == 1:
        merges = pick(
            rng, ("<<: *m", "<<: [*m, *m]", "<<: {<<: *m}", "<<: 1", "<<: [1, *m]", "? <<\n: *m")
        )
        return f"m: &m {{name: x, seed: 3}}\n{merges}\n{text}"
    if kind == 2:
        return pick(rng, ("---\n", "...\n", "%YAML 9.9\n---\n", "%TAG ! tag:x,1:\n---\n")).join(
            [text] * 2
        )
    if kind == 3:
        return f"{text}{key}: {pick(rng, _VALUES)}\n"
    if kind == 4:
        return f"{pick(rng, _VALUES)}: 1\n{text}"
    if kind == 5:
        return text.replace("  ", pick(rng, ("\t", " ", "   ", "\u00a0\u00a0")))
    return text.replace(
        ": ", f": {pick(rng, ('!x ', '!!seq ', '&b ', '!!python/object:os.system '))}"
    )


class Inputs:
    def __init__(self, home: Path) -> None:
        self._names = recipe_names()
        self._trees = [load_recipe(name).model_dump(mode="json") for name in self._names]
        self._keys = [
            f"{section}.{key}" if key else section
            for section, values in self._trees[0].items()
            for key in (values if isinstance(values, dict) else [""])
        ]

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        path = folder / "mine.yaml"
        if (own := later(rng, 0.15)) is not None:
            path.write_text(_yaml(own, pick(own, self._trees)), errors="surrogatepass")
            return lambda: load_recipe(path).to_yaml()
        overrides = []
        tree = pick(rng, self._trees)
        kind = int(rng.integers(4))
        if kind == 0:
            text = yaml.safe_dump(tree, sort_keys=False)
            path.write_bytes(spoil_bytes(rng, text.encode()))
        elif kind == 1:
            text = spoil_text(rng, yaml.safe_dump(tree, sort_keys=False))
            path.write_text(text, errors="surrogateescape")
        elif kind == 2:
            path.write_text(yaml.dump(spoil_tree(rng, tree), sort_keys=False), errors="replace")
        else:
            path.write_text(yaml.safe_dump(tree, sort_keys=False))
            for _ in range(int(rng.integers(1, 4))):
                overrides.append(self._override(rng))
        return lambda: load_recipe(path, overrides).to_yaml()

    def _override(self, rng: Rng) -> str:
        key = pick(rng, self._keys)
        value = pick(rng, _VALUES) if rng.random() < 0.6 else str(hostile(rng))
        text = f"{key}={value}"
        return spoil_text(rng, text, most=2) if rng.random() < 0.3 else text
