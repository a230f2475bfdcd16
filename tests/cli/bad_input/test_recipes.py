"""Recipes and options that are wrong: the key is named, and the nearest that is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.bad_input.conftest import Refuse, train
from tests.cli.conftest import RunCli

SET = {
    "train.epocs=3": ["'train.epocs'", "did you mean 'epochs'?", "early_stopping"],
    "trian.epochs=3": ["'trian'", "did you mean 'train'?"],
    "epoch=3": ["'epoch'", "did you mean 'train.epochs'?", "keys of a recipe"],
    "batch_size=3": ["'batch_size'", "did you mean 'train.batch'?"],
    "train.epochs.x=3": ["train.epochs", "integer"],
    "train..epochs=3": ["'train.'"],
    "train.epochs=many": ["train.epochs = 'many'", "integer"],
    "train.epochs=": ["train.epochs = None", "integer"],
    "train.epochs=0": ["train.epochs = 0", "greater than or equal to 1"],
    "train=3": ["train = 3", "section", "batch, accumulate, epochs"],
    "model.name=unett": ["model.name = 'unett'", "did you mean 'unet'?"],
    "data.mask_encoding=gray8": ["data.mask_encoding = 'gray8'", "did you mean 'grey8'?", "'auto'"],
    "device.name=gpu": ["device.name = 'gpu'", "'cuda'"],
    "device.compile=maybe": ["device.compile = 'maybe'", "boolean", "'auto'"],
    "track.trackers=wandb": ["track.trackers = 'wandb'", "list"],
    "track.trackers=[wanb]": ["track.trackers.0", "did you mean 'wandb'?"],
    "optimizer.lr=nan": ["optimizer.lr = nan", "finite"],
    "preprocess.mean=[0, 0]": ["preprocess.mean.2"],
    "model.base=[1": ["model.base=[1", "not YAML"],
    "train.epochs": ["'train.epochs'", "key=value"],
    "=3": ["'=3'", "key=value"],
    "data.folds=99": ["12 tiles", "99 parts", "fewer folds"],
    "data.split=gone.json": ["gone.json", "diapir data split"],
    "preprocess.size=33": ["preprocess.size = 33", "--set preprocess.size=36"],
    "model.levels=6": ["multiple of 64", "--set preprocess.size=64"],
}
"""`--set` values, and what the message has to name."""

RECIPES: dict[str, tuple[bytes, list[str]]] = {
    "a key": (b"train: {epocs: 3}", ["unknown key 'train.epocs'", "did you mean 'epochs'?"]),
    "a type": (b"train: {epochs: three}", ["train.epochs = 'three'", "integer"]),
    "a section that is a list": (b"train: [1]", ["train = [1]", "section"]),
    "a section that is empty": (b"train:\nmodel: {name: unet}", ["train = None", "section"]),
    "a key that is a number": (b"1: 2", ["1"]),
    "a key given twice": (b"train: {epochs: 1}\ntrain: {batch: 2}", ["'train'", "twice", "line 2"]),
    "a tab": (b"train:\n\tepochs: 3", ["line 2"]),
    "a list": (b"- a", ["list"]),
    "text": (b"hello", ["str"]),
    "Latin-1": ("name: café".encode("latin-1"), ["UTF-8"]),
    "a NUL": (b"name: a\0b", ["YAML"]),
    "bytes": (b"\x80\x02}q\x00.", ["YAML"]),
    "code": (b"name: !!python/object/apply:os.mkdir [harm]", ["python/object/apply"]),
    "very deep": (b"[" * 5000, ["YAML"]),
    "aliases that multiply": (
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in b"bcdefgh"
        )
        + b"name: *h",
        ["name"],
    ),
}
"""Content of a recipe file, and what the message has to name beside the file."""


@pytest.mark.parametrize("override", SET)
def test_a_wrong_setting_is_named(refuse: Refuse, override: str) -> None:
    refuse(*train("--set", override), names=SET[override])


@pytest.mark.parametrize("name", RECIPES)
def test_a_wrong_recipe_is_named(refuse: Refuse, here: Path, name: str) -> None:
    content, names = RECIPES[name]
    (here / "mine.yaml").write_bytes(content)
    refuse(
        "train", "--recipe", "mine.yaml", "--data", "tiles", "--out", "new",
        names=["mine.yaml", *names],
    )  # fmt: skip
    assert not (here / "harm").exists()


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("basline", ["'basline'", "did you mean 'baseline'?", "diapir recipes"]),
        ("gone.yaml", ["gone.yaml", "diapir recipes"]),
        ("tiles", ["'tiles'", "diapir recipes"]),
    ],
)
def test_an_unknown_recipe_names_the_nearest(refuse: Refuse, recipe: str, names: list[str]) -> None:
    refuse("train", "--recipe", recipe, "--data", "tiles", "--out", "new", names=names)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (train("--budget", "0"), "'0' is not a duration such as 90s, 20m or 1.5h"),
        (train("--budget", "20"), "'20' is not a duration"),
        (train("--sett", "a=b"), "--set?"),
        (("predict", "run", "tiles", "--out", "salt", "--threshold", "half"), '"half"'),
        (("predict", "run", "tiles", "--out", "salt", "--device", "gpu"), '"gpu"'),
        (("predict", "run", "tiles"), "--out"),
        (("predict", "--out", "salt"), "INPUT"),
        (("evaluate", "run"), "--data"),
        (("evaluate", "run", "--data", "tiles", "--encoding", "gray8"), "grey8"),
        (("data", "synth", "--out", "new", "--tiles", "0"), "--tiles"),
        (
            ("data", "split", "tiles", "--out", "new", "--folds", "2.5"),
            "'2.5' is not a whole number",
        ),
        (("data", "synth", "--out", "new", "--seed", "1.5"), "'1.5' is not a whole number"),
        (("data", "chekc", "tiles"), "check"),
    ],
)
def test_a_wrong_option_is_named(
    run_cli: RunCli, here: Path, words: tuple[object, ...], named: str
) -> None:
    before = sorted(here.rglob("*"))
    done = run_cli(*words)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert named in done.stderr
    assert "--help` shows the options" in done.stderr
    told = run_cli(*words, "--json")
    assert list(told.answer) == ["error"]
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("data", "split", "tiles", "--out", "new", "--val-fraction", "0"), ["--val-fraction"]),
        (("data", "split", "tiles", "--out", "new", "--val-fraction", "nan"), ["--val-fraction"]),
        (("data", "split", "tiles", "--out", "new", "--folds", "1"), ["--folds"]),
        (("data", "split", "tiles", "--out", "new", "--folds", "10"), ["salt in only", "10 parts"]),
        (("data", "synth", "--out", "new", "--seed", "-1"), ["--seed"]),
        (("predict", "run", "tiles", "--out", "salt", "--threshold", "0"), ["threshold is 0.0"]),
        (("predict", "run", "tiles", "--out", "salt", "--threshold", "1.5"), ["threshold is 1.5"]),
        (("predict", "run", "tiles", "--out", "salt", "--threshold", "nan"), ["threshold is nan"]),
    ],
)
def test_a_number_out_of_range_is_named(
    refuse: Refuse, words: tuple[object, ...], names: list[str]
) -> None:
    refuse(*words, names=names)


def test_spaces_around_an_equals_sign_and_a_byte_order_mark_do_no_harm(
    run_cli: RunCli, here: Path
) -> None:
    text = (here / "tiny.yaml").read_text(encoding="utf-8")
    (here / "tiny.yaml").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert run_cli(*train("--set", "train.epochs = 1", "--json")).answer["epochs"] == 1
