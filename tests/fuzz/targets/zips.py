"""Zips: odd names, claims and kinds of members, damaged bytes; imported, loaded, listed."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from diapir.inference.sources import find_sources
from diapir.tiles import check_tiles, import_archive, load_tiles
from tests.fuzz.mutate import pick, spoil_bytes
from tests.fuzz.target import Rng, later
from tests.helpers.tile_sets import make_tiles, tile_files

_NAMES = (
    *(
        "../x.png",
        "/x.png",
        "a/../../x.png",
        "C:\\x.png",
        "a\\b.png",
        "",
        "/",
        ".",
        "..",
        "a//b.png",
    ),
    *("x" * 300 + ".png", "d/" * 70 + "x.png", "d/" * 2000 + "x.png", "a\0b.png", "images", "con"),
    *("images/T000.png", "images/t000.png", "IMAGES/t000.png", "é/x.png", "\u202e.png", "=x.png"),
    *(
        "a//b.png",
        "__MACOSX/x",
        ".hidden/x.png",
        "train.zip",
        "a.zip/b.zip",
        "groups.csv",
    ),
)


class Inputs:
    def __init__(self, home: Path) -> None:
        images, masks = make_tiles(4, size=(8, 9))
        self._layouts = [
            tile_files(images, masks, layout) for layout in ("pairs", "kaggle", "synthetic")
        ]

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        files = dict(pick(rng, self._layouts))
        for _ in range(int(rng.integers(3))):
            name = pick(rng, tuple(files))
            kind = int(rng.integers(4))
            if kind == 0:
                files[pick(rng, _NAMES)] = files[name]
            elif kind == 1:
                files[name] = spoil_bytes(rng, files[name])
            elif kind == 2:
                files[pick(rng, ("train.zip", "test.zip", "a/b.zip"))] = _zip(rng, files)
            else:
                del files[name]
        content = _zip(rng, files)
        if (own := later(rng, 0.2)) is not None:
            content = _bomb(own, files)
        elif rng.random() < 0.6:
            content = spoil_bytes(rng, content, start=pick(rng, (0, len(content) * 3 // 4)))
        path = folder / "tiles.zip"
        path.write_bytes(content)
        out = folder / "out"
        uses: tuple[Callable[[], object], ...] = (
            lambda: import_archive(path, out),
            lambda: load_tiles(path, skip_bad=True),
            lambda: load_tiles(path),
            lambda: check_tiles(path),
            lambda: [source.read() for source in find_sources([path], out)],
        )
        return pick(rng, uses)


def _zip(rng: Rng, files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            odd = rng.random() < 0.02
            member.compress_type = pick(rng, (12, 14) if odd else (0, 8))
            odd = rng.random() < 0.02
            member.external_attr = pick(rng, (0o120777, 0o010644) if odd else (0o100644,)) << 16
            archive.writestr(member, content)
    return stream.getvalue()


def _bomb(rng: Rng, files: dict[str, bytes]) -> bytes:
    """Zips that unpack to much, in zips, with false sizes, flags and places of their members."""
    kind = int(rng.integers(6))
    if kind == 0:
        size = int(10 ** rng.uniform(5, 7.7))
        return _zip(
            rng,
            {**files, pick(rng, ("images/big.png", "masks/t000.png", "train.csv")): bytes(size)},
        )
    if kind == 1:
        for _ in range(int(rng.integers(2, 7))):
            files = {
                pick(rng, ("train.zip", "test.zip", "images.zip", "a/b.zip")): _zip(rng, files)
            }
        return _zip(rng, files)
    if kind == 2:
        return _zip(
            rng, {**files, **{f"images/{n}.png": b"" for n in range(int(rng.integers(2000)))}}
        )
    content = bytearray(_zip(rng, files))
    places = [at for at in range(len(content)) if content[at : at + 4] == b"PK\1\2"]
    for at in places[:: int(rng.integers(1, 4))]:
        if kind == 3:  # compressed size or size
            struct.pack_into(
                "<I", content, at + pick(rng, (20, 24)), pick(rng, (0, 1, 10**6, 2**31, 2**32 - 1))
            )
        elif kind == 4:  # flags: encrypted, strong encryption, patched data, UTF-8
            struct.pack_into(
                "<H", content, at + 8, pick(rng, (1, 0x41, 0x20, 0x800, 0x2000, 0xFFFF))
            )
        else:  # several members at one place
            struct.pack_into("<I", content, at + 42, pick(rng, (0, 0, len(content), 2**32 - 1, 7)))
    return bytes(content)
