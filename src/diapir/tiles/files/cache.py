"""Decoded tile sets, kept between runs in the user's cache folder.

An entry is a folder `tiles/<key>-<fingerprint>` of images.npy, masks.npy and tiles.json. The key
stands for path and options, the fingerprint for the state of the source. An entry is complete or
absent; a checksum detects later damage. If the cache cannot be read or written, the tiles are
decoded again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from diapir.files import writing_folder
from diapir.json_text import parse_json
from diapir.tiles.pixels import Pixels
from diapir.tiles.tileset import TileSet

_FORMAT = 3
"""Increased when the content of an entry, or the decoding of files, changes."""


def key(path: Path, **options: object) -> str:
    """The key of a tile set: its path and how it is read."""
    text = json.dumps([_FORMAT, str(path.resolve()), options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def load(key: str, fingerprint: str, path: Path) -> TileSet | None:
    """The tile set of this key and fingerprint; None if it is missing or damaged.

    Pixels are memory-mapped, so the processes of one machine share them.
    """
    entry = _entry(key, fingerprint)
    try:
        kept = parse_json((entry / "tiles.json").read_text(encoding="utf-8"))
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
            notes=tuple(kept["notes"]),
            pixels=Pixels.of(images, masks, np.array(kept["shapes"], np.int32).reshape(-1, 2)),
        )
    except (OSError, EOFError, ValueError, TypeError, KeyError):
        return None


def save(key: str, fingerprint: str, tiles: TileSet) -> None:
    """Save a tile set that `load_tiles` has just decoded, and remove entries of older states."""
    entry = _entry(key, fingerprint)
    kept = {
        "layout": tiles.layout,
        "encoding": tiles.encoding,
        "ids": tiles.ids,
        "groups": tiles.groups,
        "depths": tiles.depths.tolist(),
        "content": tiles.content,
        "skipped": tiles.skipped,
        "notes": tiles.notes,
        "shapes": tiles.shapes.tolist(),
    }
    kept["checksum"] = _checksum(kept, tiles.pixels.images, tiles.pixels.masks)
    # a full or read-only disk, or another process that was faster: the tiles are in memory anyway
    with contextlib.suppress(OSError):
        with writing_folder(entry) as scratch:
            np.save(scratch / "images.npy", tiles.pixels.images)
            np.save(scratch / "masks.npy", tiles.pixels.masks)
            (scratch / "tiles.json").write_text(json.dumps(kept), encoding="utf-8")
        for old in entry.parent.glob(f"{key}-*"):
            if old != entry:
                shutil.rmtree(old, ignore_errors=True)


def _mapped(file: Path) -> NDArray[np.uint8]:
    """The array of an entry as a plain array: views of `np.memmap` are a little slower."""
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
