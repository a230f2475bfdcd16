"""Decoded tile sets, kept between runs in the user's cache folder.

An entry is a folder `tiles/<key>-<fingerprint>` of images.npy, masks.npy and tiles.json. The key
stands for path and options, the fingerprint for the state of the source. An entry is written aside
and renamed, so it is whole or not there; a checksum finds later damage. A cache that cannot be read
or written is no error: the tiles are decoded again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from diapir.tiles.pixels import Pixels
from diapir.tiles.tileset import TileSet

_FORMAT = 1
"""Raised when what is stored, or how files are decoded, changes."""


def key(path: Path, **options: object) -> str:
    """Name of a tile set's entries: its path and how it is read."""
    text = json.dumps([_FORMAT, str(path.resolve()), options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def load(key: str, fingerprint: str, path: Path) -> TileSet | None:
    """The tile set kept under this key, or None where there is none, or it is outdated or damaged.

    Pixels are mapped from the files, so processes of one machine share them.
    """
    entry = _entry(key, fingerprint)
    try:
        kept = json.loads((entry / "tiles.json").read_text(encoding="utf-8"))
        images = _mapped(entry / "images.npy")
        masks = _mapped(entry / "masks.npy")
        if kept["checksum"] != _checksum(kept, images, masks):
            return None
        return TileSet(
            name=path.resolve().name,
            path=path,
            layout=kept["layout"],
            encoding=kept["encoding"],
            ids=tuple(kept["ids"]),
            groups=tuple(kept["groups"]),
            depths=np.array(kept["depths"], np.float32),
            content=tuple(kept["content"]),
            skipped=tuple((tile, reason) for tile, reason in kept["skipped"]),
            pixels=Pixels.of(images, masks, np.array(kept["shapes"], np.int32).reshape(-1, 2)),
        )
    except (OSError, EOFError, ValueError, TypeError, KeyError):
        return None


def save(key: str, fingerprint: str, tiles: TileSet) -> None:
    """Keep a tile set that `load_tiles` has just decoded; entries of older states are removed."""
    entry = _entry(key, fingerprint)
    writing = entry.with_name(f".{entry.name}.{os.getpid()}.writing")
    kept = {
        "layout": tiles.layout,
        "encoding": tiles.encoding,
        "ids": tiles.ids,
        "groups": tiles.groups,
        "depths": tiles.depths.tolist(),
        "content": tiles.content,
        "skipped": tiles.skipped,
        "shapes": tiles.shapes.tolist(),
    }
    kept["checksum"] = _checksum(kept, tiles.pixels.images, tiles.pixels.masks)
    try:
        writing.mkdir(parents=True)
        np.save(writing / "images.npy", tiles.pixels.images)
        np.save(writing / "masks.npy", tiles.pixels.masks)
        (writing / "tiles.json").write_text(json.dumps(kept), encoding="utf-8")
        for old in entry.parent.glob(f"{key}-*"):
            shutil.rmtree(old, ignore_errors=True)
        writing.rename(entry)
    except OSError:  # full, read-only, or another process was first: the tiles are in memory
        shutil.rmtree(writing, ignore_errors=True)


def _mapped(file: Path) -> NDArray[np.uint8]:
    """The array of an entry, without the small cost that `np.memmap` adds to each view."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _entry(key: str, fingerprint: str) -> Path:
    folder = os.environ.get("DIAPIR_CACHE")
    folder = folder or platformdirs.user_cache_dir("diapir", appauthor=False)
    return Path(folder) / "tiles" / f"{key}-{fingerprint[:16]}"


def _checksum(kept: dict[str, object], *arrays: NDArray[np.uint8]) -> int:
    fields = {name: value for name, value in kept.items() if name != "checksum"}
    checksum = zlib.crc32(json.dumps(fields).encode())
    for array in arrays:
        checksum = zlib.crc32(array.data, checksum)
    return checksum
