"""Images and masks: PNG, JPEG, TIFF and BMP of every mode, damaged, and with false sizes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from diapir.tiles import check_tiles, load_tiles
from diapir.tiles.files.decode import decode_values, read_image
from tests.fuzz.mutate import pick, spoil_bytes
from tests.fuzz.target import Rng, later
from tests.fuzz.tiff import array, tiff

_MODES = {
    "PNG": ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"),
    "JPEG": ("L", "RGB", "CMYK"),
    "TIFF": ("1", "L", "LA", "I;16", "I", "F", "P", "RGB", "RGBA", "CMYK"),
    "BMP": ("1", "L", "P", "RGB"),
}
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "BMP": ".bmp"}
_SIZES = (0, 1, 2, 8192, 32768, 65535, 100_000, 2**31 - 1)


class Inputs:
    def __init__(self, home: Path) -> None:
        pass

    def make(self, rng: Rng, folder: Path) -> Callable[[], object]:
        if (own := later(rng, 0.3)) is not None:
            return _set(own, folder)
        kind = pick(rng, tuple(_MODES))
        content = _png_of(rng) if rng.random() < 0.1 else _image(rng, kind)
        if rng.random() < 0.9:
            content = spoil_bytes(rng, content, most=6, start=pick(rng, (0, 8, 16, 30)))
        suffix = _SUFFIXES[kind] if rng.random() < 0.95 else pick(rng, tuple(_SUFFIXES.values()))
        path = folder / f"image{suffix}"
        path.write_bytes(content)

        def use() -> None:
            decode_values(content, path.name, suffix=suffix)

        return use if rng.random() < 0.4 else lambda: read_image(path)


def _set(rng: Rng, folder: Path) -> Callable[[], object]:
    """A tile set of TIFFs, arrays, moving pictures and colours; loaded, or one picture read."""
    for place in ("images", "masks"):
        (folder / place).mkdir()
        kind = pick(rng, ("tiff", "tiff", "npy", "moving", "colours"))
        for number in range(int(rng.integers(1, 3))):
            path = folder / place / f"t{number}"
            if kind == "tiff":
                path.with_suffix(".tif").write_bytes(tiff(rng))
            elif kind == "npy":
                np.save(path.with_suffix(".npy"), array(rng))
            elif kind == "moving":
                _moving(rng, path)
            else:
                colours = rng.integers(0, 256, (int(rng.integers(1, 5)), 3), dtype=np.uint8)
                picture = colours[rng.integers(0, len(colours), (12, 9))]
                Image.fromarray(picture).save(path.with_suffix(".png"))
    first = min((folder / "images").iterdir())
    content = first.read_bytes()
    uses: tuple[Callable[[], object], ...] = (
        lambda: load_tiles(folder),
        lambda: load_tiles(folder, skip_bad=True),
        lambda: check_tiles(folder),
        lambda: decode_values(content, first.name, suffix=first.suffix),
        lambda: read_image(first),
    )
    return pick(rng, uses)


def _moving(rng: Rng, path: Path) -> None:
    """A GIF or WebP of several frames, at times damaged."""
    shape = (int(rng.integers(1, 4)), 12, 9)
    frames = [Image.fromarray(frame) for frame in rng.integers(0, 256, shape, dtype=np.uint8)]
    kind = pick(rng, ("GIF", "WEBP"))
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    content = file.getvalue()
    if rng.random() < 0.5:
        content = spoil_bytes(rng, content)
    path.with_suffix(f".{kind.lower()}").write_bytes(content)


def _image(rng: Rng, kind: str) -> bytes:
    mode = pick(rng, _MODES[kind])
    height, width = (int(n) for n in rng.integers(1, 40, 2))
    if mode == "F":
        picture = Image.fromarray(rng.normal(size=(height, width)).astype(np.float32))
    elif mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 2**16, (height, width), dtype=np.uint16))
    else:
        grey = Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8))
        try:
            picture = grey.convert(mode)
        except ValueError:  # not from grey
            picture = grey.convert("RGB").convert(mode)
    how: dict[str, object] = {}
    if kind == "TIFF":
        packings = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate")
        how = {"compression": pick(rng, packings)}
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def _png_of(rng: Rng) -> bytes:
    """A small PNG that claims a size, and has right checksums."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    depth, colour = pick(rng, ((8, 0), (16, 0), (8, 2), (16, 6), (1, 0), (8, 3), (3, 1)))
    head = struct.pack(">IIBBBBB", pick(rng, _SIZES), pick(rng, _SIZES), depth, colour, 0, 0, 0)
    body = zlib.compress(bytes(int(rng.integers(1, 100_000))))
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
