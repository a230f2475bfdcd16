"""The reference of recipe keys: complete, in words, and the same as docs/recipes.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diapir.architectures import ARCHITECTURES
from diapir.config import RunConfig
from diapir.config.reference import Key, key_names, sections, value_text

DOCS = Path(__file__).resolve().parents[1] / "docs"


def key(name: str, architecture: str = "unet") -> Key:
    return next(one for part in sections(architecture) for one in part.keys if one.name == name)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_key_has_a_meaning_and_values(architecture: str) -> None:
    lacking = [
        one.name
        for part in sections(architecture)
        for one in part.keys
        if not one.meaning.endswith(".") or not one.values or "typing" in one.values
    ]
    assert lacking == []
    assert all(part.about for part in sections(architecture))


def test_the_keys_are_those_of_a_configuration() -> None:
    whole = RunConfig().model_dump()
    expected = {
        f"{name}.{inner}" if isinstance(value, dict) else name
        for name, value in whole.items()
        for inner in (value if isinstance(value, dict) else [""])
    }
    assert set(key_names()) == expected


@pytest.mark.parametrize(
    ("name", "values", "default"),
    [
        ("train.batch", "whole number from 1 to 1,000,000", 8),
        ("data.val_fraction", "number above 0, below 1", 0.15),
        ("data.folds", "whole number from 2 to 1,000,000 or null", None),
        ("optimizer.lr", "number above 0", 5e-4),
        ("preprocess.pad", "one of zero, reflect, edge", "zero"),
        ("preprocess.std", "list of 3, each: number from 1e-06 to 1,000", (0.229, 0.224, 0.225)),
        ("device.compile", "one of auto, true, false", "auto"),
        ("track.trackers", "list of: one of tensorboard, wandb", ()),
        ("seed", "whole number from 0, below 2**32", 42),
    ],
)
def test_values_are_described_in_words(name: str, values: str, default: object) -> None:
    assert (key(name).values, key(name).default) == (values, default)


def test_architectures_have_their_own_keys() -> None:
    assert "model.base" in key_names("unet")
    assert "model.base" not in key_names("halite")
    assert key("model.name", "halite").default == "halite"
    assert "linknet" in key("model.name").values
    assert "timm" in key("model.encoder", "linknet").meaning


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (1e-4, "0.0001"),
        (True, "true"),
        ("auto", "auto"),
        ((1, (2, 3)), "[1, [2, 3]]"),
    ],
)
def test_values_are_written_as_in_a_recipe(value: object, text: str) -> None:
    assert value_text(value) == text


def test_the_page_of_recipes_is_current() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "import make_recipes; print(make_recipes.page(), end='')"],
        cwd=DOCS,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
    )
    kept = (DOCS / "recipes.md").read_text(encoding="utf-8")
    assert kept == made.stdout.decode(), "run: python docs/make_recipes.py"
