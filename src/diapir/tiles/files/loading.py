"""From a folder or zip to a `TileSet`."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Literal

import numpy as np

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.text import listing
from diapir.tiles.files import cache
from diapir.tiles.files.file_store import Store, fingerprint
from diapir.tiles.files.layouts import Listing, Part, find_tiles
from diapir.tiles.files.masks import ValueCensus
from diapir.tiles.files.scan import BadTile, mask_name, read_tiles
from diapir.tiles.groups import with_groups
from diapir.tiles.pixels import Pixels
from diapir.tiles.tileset import TileSet

_SKIP = "--set data.skip_bad=true when training, --skip-bad elsewhere"
"""The options that leave out what cannot be used."""


def load_tiles(
    path: str | Path,
    *,
    encoding: MaskEncoding | Literal["auto"] = "auto",
    skip_bad: bool = False,
    labelled: bool = True,
    part: Part = "train",
    groups: str | Path | None = None,
) -> TileSet:
    """Read a tile set of any layout, from a folder or a zip; nothing is unpacked.

    The decoded tiles are kept in the user's cache folder (`DIAPIR_CACHE` names another) and used
    again until a file of the source changes.

    Args:
        path: a folder, a zip of one, or Kaggle's zip.
        encoding: what the masks' values mean; `auto` decides over the whole set.
        skip_bad: leave out tiles that cannot be read, listed in `TileSet.skipped`.
        labelled: whether masks are needed; without them any folder of images will do.
        part: Kaggle's `train` or `test`.
        groups: a groups.csv that says which section each tile was cut from; None for what the set
            itself says.

    Raises:
        DataError: nothing there, no known layout, tiles that cannot be used, a single tile, masks
            whose encoding is uncertain or would hide the salt, or groups that lack tiles.
    """
    path = Path(path)
    key = cache.key(path, encoding=encoding, labelled=labelled, part=part)
    mark = fingerprint(path)
    tiles = cache.load(key, mark, path)
    if tiles is None or (tiles.skipped and not skip_bad):
        tiles = _decode(path, encoding=encoding, skip_bad=skip_bad, labelled=labelled, part=part)
        cache.save(key, mark, tiles)
    return tiles if groups is None else with_groups(tiles, groups)


def _decode(
    path: Path,
    *,
    encoding: MaskEncoding | Literal["auto"],
    skip_bad: bool,
    labelled: bool,
    part: Part,
) -> TileSet:
    with Store(path, inner=part) as store:
        found = find_tiles(store, labelled=labelled, part=part, rle=encoding == "rle")
        skipped = _refuse_listing(path, found, labelled=labelled, skip_bad=skip_bad)
        ids: list[str] = []
        shapes: list[tuple[int, ...]] = []
        images, codes = bytearray(), bytearray()
        census = ValueCensus()
        bad: list[DataError] = []
        for tile in read_tiles(store, found, labelled=labelled):
            if isinstance(tile, BadTile):
                bad.append(tile.problem)
                skipped.append((tile.id, tile.problem.found))
                continue
            ids.append(tile.id)
            shapes.append(tile.image.shape)
            images += tile.image.tobytes()
            if tile.mask is not None:
                codes += tile.mask.codes.tobytes()
                census.add(mask_name(found, tile.id), tile.mask)
    if bad and not skip_bad:
        raise _refusal(path, bad[0], len(bad), len(found.images))
    if labelled and len(ids) < 2:
        raise DataError(
            f"{path} has {len(ids) or 'no'} usable tile{'s' if not ids else ''}",
            expected="at least two labelled tiles: one to learn from and one to judge with",
            fix="add tiles; `diapir data synth --out DIR` makes some",
        )
    if not ids:
        raise DataError(
            f"{path} has no usable tile",
            expected="at least one image that can be read",
            fix=f"diapir data check {path}",
        )
    decision = None
    if labelled:
        decision = census.decide("rle" if found.runs is not None else encoding)
        codes = codes.translate(decision.table)
    pixels = Pixels.of(
        np.frombuffer(images, np.uint8),
        np.frombuffer(codes, np.uint8),
        np.array(shapes, np.int32).reshape(-1, 2),
    )
    return TileSet(
        name=path.resolve().name,
        path=path,
        layout=found.layout,
        encoding=decision.encoding if decision else None,
        ids=tuple(ids),
        groups=tuple(found.groups.get(tile) or tile for tile in ids),
        depths=np.array([found.depths.get(tile, math.nan) for tile in ids], np.float32),
        content=_content(pixels, labelled=labelled),
        skipped=tuple(sorted(skipped)),
        pixels=pixels,
    )


def _content(pixels: Pixels, *, labelled: bool) -> tuple[str, ...]:
    hashes = []
    for index, (height, width) in enumerate(pixels.shapes.tolist()):
        digest = hashlib.sha256(f"{height} {width}\n".encode())
        digest.update(pixels.image(index).data)
        if labelled:
            digest.update(pixels.mask(index).data)
        hashes.append(digest.hexdigest())
    return tuple(hashes)


def _refuse_listing(
    path: Path, found: Listing, *, labelled: bool, skip_bad: bool
) -> list[tuple[str, str]]:
    """Refuse ids that are met twice and tiles without a partner; or list what is left out."""
    if found.repeated:
        tile, files = next(iter(found.repeated.items()))
        raise DataError(
            f"{path} has {len(found.repeated)} id(s) met more than once: {tile} is "
            + " and ".join(files),
            expected="one image and one mask for each tile",
            fix="remove or rename the files that are not meant",
        )
    if not labelled:
        return []
    lonely = {
        "image without mask": found.unmasked,
        "mask without image": found.unpictured,
    }
    for what, ids in lonely.items():
        if ids and not skip_bad:
            raise DataError(
                f"{path} has {what}: {listing(ids)}",
                expected="a mask of the same name for each image, and an image for each mask",
                fix=f"add what is missing, or leave these out: {_SKIP}",
            )
    return [(tile, what) for what, ids in lonely.items() for tile in ids]


def _refusal(path: Path, first: DataError, count: int, total: int) -> DataError:
    more = f" ({count} of {total} tiles cannot be used)" if count > 1 else ""
    return DataError(
        f"{path}: {first.found}{more}",
        expected=first.expected,
        fix=f"{first.fix}; `diapir data check {path}` lists all such tiles, "
        f"to leave them out: {_SKIP}",
    )
