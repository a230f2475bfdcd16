"""One pass over every tile of a set: decoded in threads, handed over in the order of the ids."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.tiles.files.decode import decode_image, decode_values
from diapir.tiles.files.file_store import Store
from diapir.tiles.files.layouts import Listing
from diapir.tiles.files.masks import StoredMask, stored_mask
from diapir.tiles.files.rle import rle_decode

_CHUNK = 64


@dataclass(frozen=True, slots=True)
class ReadTile:
    """What one tile's files hold."""

    id: str
    image: NDArray[np.uint8]
    mask: StoredMask | None
    """None where the set is read without masks."""
    image_mode: str
    mask_mode: str


@dataclass(frozen=True, slots=True)
class BadTile:
    """Why one tile cannot be used."""

    id: str
    problem: DataError
    mismatch: bool
    """Whether the problem is that image and mask differ in size."""
    image_mode: str
    """As far as it is known; empty where it is not."""
    mask_mode: str


def read_tiles(store: Store, listing: Listing, *, labelled: bool) -> Iterator[ReadTile | BadTile]:
    """Decode every tile that has all its files. A tile that cannot be read is handed over as such.

    Pillow lets other threads run while it decodes, so this uses all processors.
    """
    ids = [
        tile
        for tile in listing.images
        if not labelled or tile in (listing.masks if listing.runs is None else listing.runs)
    ]
    chunks = [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]

    def read_chunk(chunk: Sequence[str]) -> list[ReadTile | BadTile]:
        return [_read_tile(store, listing, tile, labelled=labelled) for tile in chunk]

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        for tiles in threads.map(read_chunk, chunks):
            yield from tiles


def mask_name(listing: Listing, tile: str) -> str:
    """What messages call the mask of a tile."""
    return listing.masks[tile] if listing.runs is None else f"train.csv, id {tile}"


def _read_tile(store: Store, listing: Listing, tile: str, *, labelled: bool) -> ReadTile | BadTile:
    image_mode = mask_mode = ""
    try:
        name = listing.images[tile]
        image, image_mode = decode_image(store.read(name), name, suffix=PurePosixPath(name).suffix)
        if not labelled:
            return ReadTile(tile, image, None, image_mode, mask_mode)
        values: NDArray[np.uint8] | NDArray[np.uint16]
        if listing.runs is not None:
            mask_mode = "RLE"
            values = _decode_runs(listing.runs[tile], tile, *image.shape)
        else:
            name = listing.masks[tile]
            values, mask_mode = decode_values(
                store.read(name), name, suffix=PurePosixPath(name).suffix
            )
        if values.shape != image.shape:
            problem = DataError(
                f"{tile}: the image is {_size(image)} and the mask {_size(values)}",
                expected="an image and a mask of the same size",
                fix="cut or resize one to the other",
            )
            return BadTile(tile, problem, True, image_mode, mask_mode)
        return ReadTile(tile, image, stored_mask(values), image_mode, mask_mode)
    except DataError as problem:
        return BadTile(tile, problem, False, image_mode, mask_mode)


def _decode_runs(runs: str, tile: str, height: int, width: int) -> NDArray[np.uint8]:
    try:
        return rle_decode(runs, height, width)
    except DataError as error:
        raise DataError(
            f"train.csv, id {tile}: {error.found}", expected=error.expected, fix=error.fix
        ) from None


def _size(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> str:
    return f"{pixels.shape[0]} × {pixels.shape[1]}"
