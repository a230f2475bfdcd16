"""One pass over all tiles of a set, decoded in threads and yielded in the order of their ids."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from diapir.errors import DataError
from diapir.tiles.files.decode import decode_image, decode_values
from diapir.tiles.files.file_store import Store
from diapir.tiles.files.grey_levels import GreyCensus, Pixels, is_grey
from diapir.tiles.files.layouts import TileFiles
from diapir.tiles.files.mask_census import MaskCensus
from diapir.tiles.files.mask_origins import MaskOrigins
from diapir.tiles.files.masks import StoredMask, stored_mask
from diapir.tiles.files.rle import rle_decode
from diapir.tiles.pixels import PixelsBuilder

_CHUNK = 64


@dataclass(frozen=True, slots=True)
class ReadTile:
    """One tile as its files hold it."""

    id: str
    image: Pixels
    """`uint8 (H, W)` where it is 8-bit grey; else what the set decides on, see `grey_levels`."""
    mask: StoredMask | None
    """None if the set is read without masks."""
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
    """Empty if it is unknown."""
    mask_mode: str
    """Empty if it is unknown."""


@dataclass
class Scan:
    """The tiles of a set that can be read, and those that cannot."""

    ids: list[str] = field(default_factory=list)
    pixels: PixelsBuilder = field(default_factory=PixelsBuilder)
    """Images and mask codes in the order of `ids`."""
    census: MaskCensus = field(default_factory=MaskCensus)
    bad: list[BadTile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """How images became grey, masks that lie in an alpha channel or a colour, what was turned."""


def read_all(store: Store, files: TileFiles, *, labelled: bool) -> Scan:
    """Decode every tile that has all its files and keep the pixels.

    Images of other than 8-bit grey are read twice, as their grey levels depend on all of them.
    """
    scan, grey = Scan(), GreyCensus()
    unscaled: dict[str, int] = {}
    origins = MaskOrigins()
    for tile in read_tiles(store, files, labelled=labelled):
        if isinstance(tile, BadTile):
            scan.bad.append(tile)
            continue
        image = tile.image
        grey.add(tile.id, image)
        if not is_grey(image):
            unscaled[tile.id] = len(scan.ids)
            image = np.zeros(image.shape[:2], np.uint8)
        scan.ids.append(tile.id)
        scan.pixels.add(image, tile.mask.codes if tile.mask else None)
        if tile.mask:
            scan.census.add(mask_name(files, tile.id), tile.mask)
        origins.add(tile.id, tile.mask_mode, tile.image_mode)
    origins.check()
    rule = grey.decide()
    for tile_id, index in unscaled.items():
        scan.pixels.replace(index, rule.grey(tile_id, _read_image(store, files, tile_id)[0]))
    scan.notes += rule.notes()
    scan.notes += origins.notes()
    return scan


def read_tiles(store: Store, files: TileFiles, *, labelled: bool) -> Iterator[ReadTile | BadTile]:
    """Decode every tile that has all its files; one that cannot be read is yielded as `BadTile`.

    Pillow releases the interpreter lock while it decodes, so this uses all processors.
    """
    ids = [tile for tile in files.images if not labelled or tile in files.labels]
    chunks = [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]

    def read_chunk(chunk: Sequence[str]) -> list[ReadTile | BadTile]:
        return [_read_tile(store, files, tile, labelled=labelled) for tile in chunk]

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        for tiles in threads.map(read_chunk, chunks):
            yield from tiles


def mask_name(files: TileFiles, tile: str) -> str:
    """Name of a tile's mask in messages."""
    return files.masks[tile] if files.runs is None else f"train.csv, id {tile}"


def _read_tile(store: Store, files: TileFiles, tile: str, *, labelled: bool) -> ReadTile | BadTile:
    image_mode = mask_mode = ""
    try:
        image, image_mode = _read_image(store, files, tile)
        if not labelled:
            return ReadTile(tile, image, None, image_mode, mask_mode)
        values: NDArray[np.uint8] | NDArray[np.uint16]
        if files.runs is not None:
            mask_mode = "RLE"
            values = _decode_runs(files.runs[tile], tile, *image.shape[:2])
        else:
            name = files.masks[tile]
            values, mask_mode = decode_values(
                store.read(name), name, suffix=PurePosixPath(name).suffix
            )
        if values.shape != image.shape[:2]:
            problem = DataError(
                f"{tile}: the image is {_size(image)} and the mask {_size(values)}",
                expected="an image and a mask of the same size",
                fix="cut or resize one to the other",
            )
            return BadTile(tile, problem, True, image_mode, mask_mode)
        return ReadTile(tile, image, stored_mask(values), image_mode, mask_mode)
    except DataError as problem:
        return BadTile(tile, problem, False, image_mode, mask_mode)


def _read_image(store: Store, files: TileFiles, tile: str) -> tuple[Pixels, str]:
    """The pixels of a tile's image, and its mode."""
    name = files.images[tile]
    decoded = decode_image(store.read(name), name, suffix=PurePosixPath(name).suffix)
    return decoded.pixels, decoded.mode


def _decode_runs(runs: str, tile: str, height: int, width: int) -> NDArray[np.uint8]:
    try:
        return rle_decode(runs, height, width)
    except DataError as error:
        raise DataError(
            f"train.csv, id {tile}: {error.found}", expected=error.expected, fix=error.fix
        ) from None


def _size(pixels: Pixels) -> str:
    return f"{pixels.shape[0]} × {pixels.shape[1]}"
