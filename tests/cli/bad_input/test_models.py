"""Models that are not what was saved, and devices that are not there."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.cli.bad_input.conftest import Refuse, flip, train

WEIGHTS, INFO = "model.safetensors", "bundle.json"
USING = {
    "evaluate": ("--data", "tiles", "--out", "judged"),
    "predict": ("tiles", "--out", "salt"),
}
"""Verbs that take a model, and what follows it."""


class Harm:
    def __reduce__(self) -> tuple[Callable[..., None], tuple[Path, ...]]:
        return Path.touch, (Path("harm"),)


def replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def spoil(bundle: Path) -> None:
        text = (bundle / name).read_text(encoding="utf-8")
        assert old in text
        (bundle / name).write_text(text.replace(old, new), encoding="utf-8")

    return spoil


BAD: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a changed byte of the weights": (lambda b: flip(b / WEIGHTS, -5), [WEIGHTS, "changed"]),
    "a changed byte of their names": (lambda b: flip(b / WEIGHTS, 20), [WEIGHTS, "changed"]),
    "weights cut off": (
        lambda b: (b / WEIGHTS).write_bytes((b / WEIGHTS).read_bytes()[:-9]), [WEIGHTS, "changed"],
    ),
    "weights of no bytes": (lambda b: (b / WEIGHTS).write_bytes(b""), [WEIGHTS]),
    "no weights": (lambda b: (b / WEIGHTS).unlink(), [WEIGHTS, "missing"]),
    "a changed number": (replace(INFO, "0.485", "0.486"), [INFO, "changed"]),
    "another threshold": (replace(INFO, '"threshold": 0.5', '"threshold": 0.4'), [INFO, "changed"]),
    "a changed key": (replace(INFO, '"threshold"', '"treshold"'), [INFO, "treshold"]),
    "a later format": (replace(INFO, '"format": 1', '"format": 9'), [INFO, "update diapir"]),
    "a model from elsewhere": (replace(INFO, '"unet"', '"os.system"'), [INFO, "changed"]),
    "a description cut off": (
        lambda b: (b / INFO).write_bytes((b / INFO).read_bytes()[:40]), [INFO],
    ),
    "no description": (lambda b: (b / INFO).unlink(), [INFO]),
    "a pickle": (
        lambda b: (b / WEIGHTS).write_bytes(pickle.dumps(Harm())), [WEIGHTS, "a pickle"],
    ),
    "a zip of torch": (
        lambda b: torch.save({"a": torch.zeros(1)}, b / WEIGHTS), [WEIGHTS, "pickle"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", USING)
@pytest.mark.parametrize("name", BAD)
def test_a_model_that_is_not_what_was_saved_is_refused(
    refuse: Refuse, here: Path, name: str, verb: str
) -> None:
    spoil, names = BAD[name]
    spoil(here / "run" / "best")
    refuse(verb, "run", *USING[verb], names=["run", *names])
    refuse(verb, "run/best", *USING[verb], names=["run", *names])
    assert not (here / "harm").exists()


@pytest.mark.parametrize("verb", USING)
def test_what_is_no_model_is_refused(refuse: Refuse, here: Path, verb: str) -> None:
    (here / "weights.pth").write_bytes(pickle.dumps(Harm()))
    shutil.copy(here / "run" / "best" / WEIGHTS, here)
    for given, names in {
        "gone": ["gone", "no such model"],
        "tiles": ["tiles", INFO],
        "weights.pth": ["weights.pth", "pickled data"],
        WEIGHTS: [WEIGHTS, "is a file"],
        f"run/best/{INFO}": [INFO, "is a file"],
    }.items():
        words = ("--model", given) if verb == "predict" else (given,)
        refuse(verb, *words, *USING[verb], names=names)
    assert not (here / "harm").exists()


def test_a_first_word_that_can_only_be_a_model_is_refused_as_one(
    refuse: Refuse, here: Path
) -> None:
    (here / "weights.pth").write_bytes(pickle.dumps(Harm()))
    for given, names in {
        "gone": ["gone", "no such model"],
        "run,gone": ["gone", "no such model"],
        "run,run/best": ["same model"],
        "weights.pth": ["weights.pth", "pickled data"],
        f"run/best/{INFO}": [INFO, "is a file"],
    }.items():
        refuse("predict", given, *USING["predict"], names=names)
    refuse("predict", "run", "--out", "salt", names=["run is a model, but no input is given"])
    refuse("evaluate", "run", "run/best", *USING["evaluate"], names=["same model"])


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_gpu_that_is_not_there_is_told(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for verb, words in USING.items():
        refuse(verb, "run", *words, "--device", name, names=[f"'{name}'", "cpu", "--device auto"])
    refuse(
        *train("--set", f"device.name={name}"),
        names=[f"'{name}'", "cpu", "--set device.name=auto"],
    )
