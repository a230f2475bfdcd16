"""Write recipes.md: every key of a recipe and every recipe, from the code that defines them.

python docs/make_recipes.py
"""

from __future__ import annotations

from pathlib import Path

from diapir.architectures import ARCHITECTURES
from diapir.config import recipe_groups
from diapir.config.reference import Key, architecture_keys, sections, value_text

DOCS = Path(__file__).resolve().parent

HEAD = """# Recipes and their keys

Written by `python docs/make_recipes.py` from the code. On the command line, `diapir recipes` lists
the recipes and `diapir recipes NAME` shows one with every key, its value, range and meaning;
`diapir recipes NAME --yaml > mine.yaml` starts a recipe of your own.

`--set section.key=value` changes a key; the value is YAML (`4`, `1e-3`, `null`, `[a, b]`). The
section may be left out where only one has a key of that name: `--set lr=1e-3`. `diapir train` has
`--epochs`, `--batch` and `--lr` as well.
"""


def page() -> str:
    """The content of recipes.md."""
    lines = [HEAD, "## Recipes\n"]
    for group in recipe_groups():
        lines += [f"### {group.title}\n", "| recipe | what |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(about)} |" for name, about in group.recipes.items()]
        lines.append("")
    for section in sections():
        if section.name == "model":
            continue
        title = f"`{section.name}`" if section.name else "Top level"
        lines += [f"## {title}\n", f"{section.about}\n", *_table(section.keys)]
    lines += ["## `model`\n", "Each architecture has its own keys beside `model.name`.\n"]
    for name in ARCHITECTURES:
        of_model = architecture_keys(name)
        own = [key for key in of_model.keys if key.name != "model.name"]
        lines += [f"### `model.name: {name}`\n", f"{of_model.about}\n", *_table(own)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(keys: tuple[Key, ...] | list[Key]) -> list[str]:
    rows = [
        f"| `{key.name}` | `{value_text(key.default)}` | "
        f"{_cell(key.values)} | {_cell(key.meaning)} |"
        for key in keys
    ]
    return ["| key | default | values | meaning |", "|---|---|---|---|", *rows, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    (DOCS / "recipes.md").write_text(page(), encoding="utf-8")
