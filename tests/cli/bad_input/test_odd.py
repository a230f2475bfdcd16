"""Input that is odd but right: what people's computers leave behind is no reason to stop."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.bad_input.conftest import Refuse, train
from tests.cli.conftest import RunCli


def litter(tiles: Path) -> None:
    for name in ("images/Thumbs.db", "masks/.DS_Store", "desktop.ini", "images/.t.png.writing"):
        (tiles / name).write_bytes(b"\xd0\xcf\x11\xe0")


def rename(change: Callable[[Path], Path], *kinds: str) -> Callable[[Path], None]:
    def spoil(tiles: Path) -> None:
        for kind in kinds or ("images", "masks"):
            for path in sorted((tiles / kind).iterdir()):
                path.rename(change(path))

    return spoil


def as_palette(*colours: int) -> Callable[[Path], None]:
    def save(mask: Path) -> None:
        classes = Image.fromarray((np.asarray(Image.open(mask)) > 0).astype(np.uint8)).convert("P")
        classes.putpalette(colours)
        classes.save(mask)

    return lambda tiles: [save(mask) for mask in (tiles / "masks").iterdir()] and None


def as_mode(mode: str) -> Callable[[Path], None]:
    def spoil(tiles: Path) -> None:
        for mask in (tiles / "masks").iterdir():
            Image.open(mask).convert(mode).save(mask)

    return spoil


def table(text: str) -> Callable[[Path], object]:
    rows = "".join(f"tile{number:03d},line {number // 2}\r\n" for number in range(12))
    return lambda tiles: (tiles / "groups.csv").write_bytes((text + rows).encode())


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "litter": (litter, "grey8"),
    "capitals": (rename(lambda path: path.with_suffix(".PNG"), "images"), "grey8"),
    "other letters": (rename(lambda path: path.with_name(f"Salz ü 岩塩 {path.name}")), "grey8"),
    "a loop": (lambda tiles: (tiles / "images" / "again").symlink_to(tiles), "grey8"),
    "a coloured palette": (as_palette(0, 0, 0, 255, 0, 0), "index"),
    "a grey palette": (as_palette(0, 0, 0, 255, 255, 255), "grey8"),
    "masks with alpha": (as_mode("RGBA"), "grey8"),
    "masks of one bit": (as_mode("1"), "grey8"),
    "a table of Windows": (table("\ufeffid,group\r\n"), "grey8"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tiles_are_ok_to_train_on(run_cli: RunCli, here: Path, name: str) -> None:
    shares = run_cli("data", "check", "tiles", "--json").answer["shares"]
    spoil, encoding = ODD[name]
    spoil(here / "tiles")
    done = run_cli("data", "check", "tiles", "--json")
    assert done.code == 0
    assert done.answer["encoding"] == encoding
    assert done.answer["pairs"] == 12
    assert done.answer["shares"] == shares
    assert run_cli("data", "split", "tiles", "--out", "split.json").code == 0
    assert run_cli("evaluate", "run/best", "--data", "tiles").code == 0
    assert run_cli("predict", "run", "tiles", "--out", "salt", "--json").answer["images"] == 12


def test_check_warns_of_tiles_without_a_group(run_cli: RunCli, here: Path) -> None:
    (here / "tiles" / "groups.csv").write_text("id,group\ntile000,a\ntile001,a\n")
    (warning,) = run_cli("data", "check", "tiles", "--json").answer["warnings"]
    assert "10: tile002" in warning


@pytest.mark.parametrize(
    ("salty", "group", "names"),
    [([1], "", ["tile001", "salt"]), ([1, 2, 3], "a", ["'a'", "group"])],
)
def test_tiles_that_cannot_be_split_are_refused(
    refuse: Refuse, run_cli: RunCli, here: Path, salty: list[int], group: str, names: list[str]
) -> None:
    empty = np.zeros((30, 30), np.uint8)
    for number in set(range(12)) - set(salty):
        Image.fromarray(empty).save(here / "tiles" / "masks" / f"tile{number:03d}.png")
    rows = "".join(f"tile{number:03d},{group}\n" for number in range(12))
    (here / "tiles" / "groups.csv").write_text("id,group\n" + rows)
    done = run_cli("data", "check", "tiles", "--json")
    assert done.code == 2
    assert all(name in done.answer["errors"][0] for name in names)
    refuse("data", "split", "tiles", "--out", "split.json", names=["tiles", "group"])
    refuse(*train(), names=["tiles", "group"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no such names")
def test_a_name_that_is_no_text_is_refused(refuse: Refuse, here: Path) -> None:
    for kind in ("images", "masks"):
        old = here / "tiles" / kind / "tile003.png"
        os.rename(old, os.fsencode(old.parent) + b"/s\xfcd.png")
    names = ["tiles", "s\\udcfcd.png", "rename"]
    refuse("data", "check", "tiles", names=names)
    refuse("data", "split", "tiles", "--out", "split.json", names=names)
    refuse(*train(), names=names)
    refuse("evaluate", "run", "--data", "tiles", names=names)
    refuse("predict", "run", "tiles", "--out", "salt", names=names)
    image = os.fsdecode(b"tiles/images/s\xfcd.png")
    refuse("predict", "run", image, "--out", "salt", names=names[1:])


def test_a_terminal_of_few_letters_gets_all_lines(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "diapir", "data", "check", "tiles"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"30 \xd7 30: 12" in done.stdout
