"""Tile sets that are wrong: every command that reads them refuses them by name."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.cli.bad_input.conftest import Refuse, flip, listing, permissions, train
from tests.cli.conftest import RunCli
from tests.helpers.tile_sets import png, zip_files

IMAGE, MASK = "images/tile003.png", "masks/tile003.png"
SIZE = (30, 30)

Spoil = Callable[[Path], object]


class Bad(NamedTuple):
    """A way to spoil the folder `tiles`, and what has to be said of it."""

    spoil: Spoil
    names: list[str]
    whole: bool = False
    """Whether the set as a whole is refused, by `data check` too, instead of listed."""
    predicted: bool = False
    """Whether nothing is wrong for who only predicts."""
    encoding: str = ""


def drop(*names: str) -> Spoil:
    return lambda tiles: [(tiles / name).unlink() for name in names]


def put(name: str, content: bytes) -> Spoil:
    return lambda tiles: (tiles / name).write_bytes(content)


def cut(name: str, kept: int) -> Spoil:
    return lambda tiles: (tiles / name).write_bytes((tiles / name).read_bytes()[:kept])


def every_mask(change: Callable[[Path], object]) -> Spoil:
    return lambda tiles: [change(mask) for mask in sorted((tiles / "masks").iterdir())]


def keep(count: int) -> Spoil:
    def spoil(tiles: Path) -> None:
        for kind in ("images", "masks"):
            for path in sorted((tiles / kind).iterdir())[count:]:
                path.unlink()

    return spoil


def saved(kind: str, suffix: str = ".png") -> bytes:
    file = io.BytesIO()
    Image.new("L", SIZE, 9).save(file, kind)
    return file.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A small PNG that claims to have this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def as_jpeg(mask: Path) -> None:
    Image.open(mask).save(mask.with_suffix(".jpg"), quality=80)
    mask.unlink()


def mask_with(value: int, dtype: type = np.uint8) -> bytes:
    pixels = np.zeros(SIZE, dtype)
    pixels[3, 4] = value
    return png(pixels)


def remake(tiles: Path, kind: str) -> None:
    """Leave nothing of the folder but an empty one, or a file in its place."""
    for path in sorted(tiles.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    if kind != "empty":
        tiles.rmdir()
    if kind == "file":
        tiles.write_text("a diary")


COLOURED = np.zeros((*SIZE, 3), np.uint8)
COLOURED[5, 5] = (255, 0, 0)
COLOURED[5, 6] = (0, 255, 0)

BAD = {
    "no such folder": Bad(lambda tiles: remake(tiles, "gone"), ["tiles"], whole=True),
    "empty folder": Bad(lambda tiles: remake(tiles, "empty"), ["tiles"], whole=True),
    "a file": Bad(lambda tiles: remake(tiles, "file"), ["tiles"], whole=True),
    "no images": Bad(keep(0), ["tiles"], whole=True),
    "no masks": Bad(
        every_mask(Path.unlink), ["tiles/masks", "diapir predict"], whole=True, predicted=True
    ),
    "image without mask": Bad(drop(MASK), ["tile003", "mask", "--skip-bad"], predicted=True),
    "mask without image": Bad(drop(IMAGE), ["tile003", "image", "skip_bad"], predicted=True),
    "different sizes": Bad(
        put(MASK, png(np.zeros((20, 30), np.uint8))), ["tile003", "30 × 30", "20 × 30"],
        predicted=True,
    ),
    "truncated image": Bad(cut(IMAGE, 200), [IMAGE, "truncated"]),
    "truncated mask": Bad(cut(MASK, 60), [MASK, "truncated"], predicted=True),
    "empty image": Bad(cut(IMAGE, 0), [IMAGE, "is empty"]),
    "a GIF called PNG": Bad(put(IMAGE, saved("GIF")), [IMAGE, "GIF", ".png"]),
    "a JPEG called PNG": Bad(put(IMAGE, saved("JPEG")), [IMAGE, "JPEG", ".png"]),
    "a page called PNG": Bad(put(IMAGE, b"<html>404</html>"), [IMAGE, "HTML"]),
    "a bomb": Bad(put(IMAGE, png_of(60_000, 60_000)), [IMAGE, "pixels"]),
    "a lesser bomb": Bad(put(IMAGE, png_of(9_000, 9_000)), [IMAGE, "9000 × 9000 pixels"]),
    "a mask that is a bomb": Bad(put(MASK, png_of(60_000, 60_000)), [MASK], predicted=True),
    "an unexpected value": Bad(put(MASK, mask_with(77)), [MASK, "77"], predicted=True),
    "an unexpected value of a named encoding": Bad(
        put(MASK, mask_with(77)), [MASK, "77", "grey8"], predicted=True, encoding="grey8"
    ),
    "an unexpected value in 16 bits": Bad(
        put(MASK, mask_with(300, np.uint16)), [MASK, "300"], predicted=True
    ),
    "a mask in colour": Bad(put(MASK, png(COLOURED)), [MASK, "colour"], predicted=True),
    "masks as JPEG": Bad(every_mask(as_jpeg), ["tile001.jpg", "PNG"], predicted=True),
    "0/255 under seed": Bad(
        lambda tiles: None, ["seed", "no pixel is salt", "grey8"], predicted=True,
        encoding="seed",
    ),
    "all masks empty": Bad(
        every_mask(lambda mask: mask.write_bytes(png(np.zeros(SIZE, np.uint8)))),
        ["all 12 masks are empty"], predicted=True,
    ),
    "one tile only": Bad(keep(1), ["1 usable tile"], predicted=True),
    "an id met twice": Bad(
        put("images/tile003.bmp", saved("BMP")), ["tile003.bmp", "tile003.png"], predicted=True
    ),
    "groups of other tiles": Bad(
        put("groups.csv", b"id,group\ntile003.png,a\n"), ["groups.csv", "'tile003.png'", "suffix"],
        whole=True, predicted=True,
    ),
    "groups between semicolons": Bad(
        put("groups.csv", b"id;group\ntile003;a\n"), ["groups.csv", "id;group", "comma"],
        whole=True, predicted=True,
    ),
    "groups in Latin-1": Bad(
        put("groups.csv", "id,group\ntile003,süd\n".encode("latin-1")), ["groups.csv", "UTF-8"],
        whole=True, predicted=True,
    ),
}  # fmt: skip
USING = {
    "split": lambda bad: (
        "data", "split", "tiles", "--out", "split.json", *encoding(bad),
    ),
    "train": lambda bad: train(
        *(["--set", f"data.mask_encoding={bad.encoding}"] if bad.encoding else [])
    ),
    "evaluate": lambda bad: (
        "evaluate", "run", "--data", "tiles", "--out", "scores", *encoding(bad),
    ),
}  # fmt: skip
"""Commands that need a whole tile set."""


def encoding(bad: Bad) -> list[str]:
    return ["--encoding", bad.encoding] if bad.encoding else []


@pytest.mark.parametrize("command", USING)
@pytest.mark.parametrize("name", BAD)
def test_what_needs_tiles_refuses_bad_ones(
    refuse: Refuse, here: Path, name: str, command: str
) -> None:
    BAD[name].spoil(here / "tiles")
    refuse(*USING[command](BAD[name]), names=BAD[name].names)


@pytest.mark.parametrize("name", BAD)
def test_check_lists_bad_tiles(refuse: Refuse, run_cli: RunCli, here: Path, name: str) -> None:
    bad = BAD[name]
    bad.spoil(here / "tiles")
    words = ("data", "check", "tiles", *encoding(bad))
    names = [word for word in bad.names if "skip" not in word]
    if bad.whole:
        refuse(*words, names=names)
        return
    before = listing(here)
    plain = run_cli(*words)
    assert (plain.code, plain.stderr) == (2, "")
    assert plain.stdout.splitlines()[-1].startswith("not OK to train: ")
    as_json = run_cli(*words, "--json")
    assert as_json.code == 2
    assert as_json.answer["ok"] is False
    for word in names:
        assert word in plain.stdout
        assert word in " ".join(as_json.answer["errors"])
    assert listing(here) == before


@pytest.mark.parametrize("name", BAD)
def test_predict_continues_with_the_rest(
    refuse: Refuse, run_cli: RunCli, here: Path, name: str
) -> None:
    bad = BAD[name]
    bad.spoil(here / "tiles")
    words = ("predict", "run", "tiles", "--out", "salt")
    if bad.whole and not bad.predicted:
        refuse(*words, names=["tiles"])
        return
    before = listing(here)
    done = run_cli(*words, "--json")
    left = {} if bad.predicted else {f"tiles/{IMAGE}"}
    assert set(done.answer["failed"]) == set(left)
    assert done.code == (2 if left else 0)
    images = {path.stem for path in (here / "tiles" / "images").iterdir()}
    masks = {path.name.partition("_")[0].removesuffix(".png")
             for path in (here / "salt" / "mask").rglob("*.png")}  # fmt: skip
    assert masks == images - {Path(path).stem for path in left}
    salt = (here / "salt" / "predictions.csv").read_text(encoding="utf-8")
    assert all(word in salt for word in (bad.names[:1] if left else []))
    assert listing(here).items() >= before.items()
    plain = run_cli(*words)
    assert ("left out" in plain.stdout) is bool(left)
    assert all(word in plain.stdout for word in (bad.names if left else []))


def test_nothing_to_predict_is_an_error(refuse: Refuse, here: Path) -> None:
    (here / "pictures").mkdir()
    (here / "pictures" / "a.png").write_bytes(saved("GIF"))
    (here / "pictures" / "notes.txt").write_text("no picture")
    for given in ("pictures", "pictures/a.png", "pictures/notes.txt"):
        refuse("predict", "run", given, "--out", "salt", names=[given])
    refuse("predict", "run", "pictures", "gone.png", "--out", "salt", names=["gone.png"])


def test_bad_tiles_can_be_left_out(run_cli: RunCli, here: Path) -> None:
    cut(IMAGE, 200)(here / "tiles")
    drop("masks/tile005.png")(here / "tiles")
    parts = run_cli("data", "split", "tiles", "--out", "split.json", "--skip-bad", "--json").answer[
        "parts"
    ]
    assert sum(part["tiles"] for part in parts.values()) == 10
    evaluated = run_cli(
        *("evaluate", "run/best", "--data", "tiles", "--skip-bad", "--all-tiles", "--json")
    )
    assert evaluated.answer["metrics"]["n_images"] == 10
    trained = run_cli(*train("--set", "data.skip_bad=true"))
    assert trained.code == 0
    assert "Skipped tile003: images/tile003.png is truncated" in trained.stdout


def test_a_file_that_may_not_be_read_is_named(run_cli: RunCli, here: Path) -> None:
    with permissions(here / "tiles" / IMAGE, 0):
        for command in USING:
            done = run_cli(*USING[command](BAD["one tile only"]))
            assert done.code == 2
            assert f"{IMAGE} in tiles cannot be read: Permission denied" in done.stderr


# zips


def members(tiles: Path) -> dict[str, bytes]:
    return {
        path.relative_to(tiles).as_posix(): path.read_bytes()
        for path in sorted(tiles.rglob("*.png"))
    }


def nested(tiles: Path, **more: bytes) -> bytes:
    inner = io.BytesIO()
    zip_files(inner, members(tiles) | more)
    return inner.getvalue()


def zipped(more: dict[str, bytes]) -> Callable[[Path, Path], None]:
    return lambda tiles, zip_: zip_files(zip_, members(tiles) | more)


def damaged(change: Callable[[Path], object]) -> Callable[[Path, Path], None]:
    def make(tiles: Path, zip_: Path) -> None:
        zip_files(zip_, members(tiles))
        change(zip_)

    return make


def with_link(tiles: Path, zip_: Path) -> None:
    with zipfile.ZipFile(zip_, "w") as archive:
        for name, content in members(tiles).items():
            archive.writestr(name, content)
        link = zipfile.ZipInfo("images/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")


ZIPS: dict[str, tuple[Callable[[Path, Path], object], list[str]]] = {
    "a name above": (zipped({"../evil.png": saved("PNG")}), ["'../evil.png'"]),
    "a name that climbs": (zipped({"images/../../e.png": saved("PNG")}), ["images/../../e.png"]),
    "a name from the root": (zipped({"/etc/evil.png": saved("PNG")}), ["'/etc/evil.png'"]),
    "a name of Windows": (zipped({"C:\\evil.png": saved("PNG")}), ["evil.png"]),
    "a link": (with_link, ["images/link.png", "link"]),
    "a name above, deeper": (
        lambda tiles, zip_: zip_files(
            zip_,
            {"train.zip": nested(tiles, **{"../e.png": b""}), "train.csv": b"id,rle_mask\n"},
        ),
        ["train.zip", "'../e.png'"],
    ),
    "cut off": (
        damaged(lambda zip_: zip_.write_bytes(zip_.read_bytes()[:-300])),
        ["tiles.zip", "truncated"],
    ),
    "cut to its first bytes": (
        damaged(lambda zip_: zip_.write_bytes(zip_.read_bytes()[:9])), ["tiles.zip"],
    ),
    "no zip": (lambda tiles, zip_: zip_.write_bytes(b"Dear diary"), ["tiles.zip"]),
    "empty": (lambda tiles, zip_: zip_files(zip_, {}), ["tiles.zip"]),
}  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ("data", "check", "tiles.zip"),
        ("data", "split", "tiles.zip", "--out", "split.json"),
        ("data", "import", "tiles.zip", "--out", "imported"),
        train(data="tiles.zip"),
        ("evaluate", "run", "--data", "tiles.zip"),
        ("predict", "run", "tiles.zip", "--out", "salt"),
    ],
    ids=lambda words: " ".join(map(str, words[:2])),
)
@pytest.mark.parametrize("name", ZIPS)
def test_a_bad_zip_is_refused_by_every_command(
    refuse: Refuse, here: Path, name: str, words: tuple[str, ...]
) -> None:
    make, names = ZIPS[name]
    make(here / "tiles", here / "tiles.zip")
    if name == "empty" and words[0] == "predict":
        names = ["tiles.zip"]
    refuse(*words, names=names)
    assert not (here.parent / "evil.png").exists()


def test_a_changed_byte_in_a_zip_is_named_with_its_tile(
    refuse: Refuse, run_cli: RunCli, here: Path
) -> None:
    zip_files(here / "tiles.zip", members(here / "tiles"))
    with zipfile.ZipFile(here / "tiles.zip") as archive:
        first = archive.infolist()[0]
    flip(here / "tiles.zip", first.header_offset + 80)
    refuse(*train(data="tiles.zip"), names=[first.filename, "tiles.zip"])
    refuse("data", "import", "tiles.zip", "--out", "new", names=[first.filename, "tiles.zip"])
    assert first.filename in run_cli("data", "check", "tiles.zip").stdout
    as_json = run_cli("predict", "run", "tiles.zip", "--out", "salt", "--json").answer
    assert list(as_json["failed"]) == [f"tiles.zip/{first.filename}"]
    assert as_json["images"] == 11


def test_an_interrupted_import_names_the_command_that_finishes_it(
    refuse: Refuse, run_cli: RunCli, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zip_files(here / "tiles.zip", members(here / "tiles"))
    words = ("data", "import", "tiles.zip", "--out", "imported")
    rename = os.rename
    named: list[Path] = []

    def stop_after_one(source: Path, target: Path) -> None:
        if named:
            raise KeyboardInterrupt
        named.append(target)
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", stop_after_one)
        assert run_cli(*words).code == 130
    assert named[0].name in {"images", "masks"}
    names = ["imported", "interrupted", "diapir data import"]
    refuse("data", "check", "imported", names=names)
    refuse(*train(data="imported"), names=names)
    refuse("evaluate", "run", "--data", "imported", names=names)
    refuse("predict", "run", "imported", "--out", "salt", names=names)
    assert run_cli(*words).code == 0
    assert members(here / "imported") == members(here / "tiles")
    again = run_cli(*words, "--json").answer
    assert (again["written"], again["kept"]) == (0, 24)
    assert run_cli("data", "check", "imported").code == 0
