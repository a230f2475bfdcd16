"""Recipes that train in about a second, and bright tiles to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.helpers.tiny import TINY


def write_recipes(folder: Path) -> Path:
    """A folder of recipes: `small` and `large`, and `broken`, which cannot be built."""
    changes: dict[str, dict[str, Any]] = {
        "small": {},
        "large": {"model": {"name": "unet", "base": 4, "levels": 2}},
        "broken": {"preprocess": {"size": 34}},
    }
    for name, change in changes.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(TINY | {"name": name} | change))
    return folder


def named(recipes: Path, *names: str) -> list[str]:
    """The paths of recipes in the folder."""
    return [str(recipes / f"{name}.yaml") for name in names]
