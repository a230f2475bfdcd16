"""Reading a folder or zip of any layout into a `TileSet`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from diapir.config import MaskEncoding
from diapir.errors import DataError
from diapir.text import listing, plural
from diapir.tiles.files import cache
from diapir.tiles.files.file_store import Store, fingerprint
from diapir.tiles.files.layout_places import Part
from diapir.tiles.files.layouts import TileFiles, find_tiles
from diapir.tiles.files.mask_census import refuse_without_background
from diapir.tiles.files.scan import Scan, read_all
from diapir.tiles.groups import with_groups
from diapir.tiles.tileset import TileSet

_SKIP = "--set data.skip_bad=true when training, --skip-bad elsewhere"
"""The options that leave out tiles that cannot be used."""


def load_tiles(
    path: str | Path | TileSet,
    *,
    encoding: MaskEncoding | Literal["auto"] = "auto",
    skip_bad: bool = False,
    labelled: bool = True,
    part: Part = "train",
    groups: str | Path | None = None,
) -> TileSet:
    """Read a tile set of any layout, from a folder or a zip; nothing is unpacked.

    The decoded tiles are kept in the user's cache folder (or the one `DIAPIR_CACHE` names) and
    reused until a file of the source changes.

    Args:
        path: a folder, a zip of one, a folder in a zip (`tiles.zip/train`), or Kaggle's zip. A set
            that was read already is taken as it is.
        encoding: mask encoding; `auto` recognises it from the values of the whole set.
        skip_bad: leave out tiles that cannot be read, listed in `TileSet.skipped`.
        labelled: whether masks are needed; without them any folder of images will do.
        part: Kaggle's `train` or `test`.
        groups: a groups.csv with the section that each tile was cut from; None uses the set's own.

    Raises:
        DataError: the path does not exist or has no known layout, tiles that cannot be used, a
            single tile, masks whose encoding is ambiguous or would hide the salt, masks
            without background, or groups that lack tiles.
    """
    if isinstance(path, TileSet):
        return path if groups is None else with_groups(path, groups)
    path = Path(path)
    key = cache.key(path, encoding=encoding, labelled=labelled, part=part)
    state = fingerprint(path)
    tiles = cache.load(key, state, path)
    if tiles is None or (tiles.skipped and not skip_bad):
        tiles = _decode(path, encoding=encoding, skip_bad=skip_bad, labelled=labelled, part=part)
        cache.save(key, state, tiles)
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
        files = find_tiles(store, labelled=labelled, part=part, rle=encoding == "rle")
        _refuse_repeated(path, files)
        skipped = _without_partner(path, files, skip_bad=skip_bad) if labelled else []
        scan = read_all(store, files, labelled=labelled)
    _check(path, scan, skip_bad=skip_bad, labelled=labelled, total=len(files.images))
    skipped += [(tile.id, tile.problem.found) for tile in scan.bad]
    decision = None
    notes = [*files.notes, *scan.notes]
    if labelled:
        decision = scan.census.decide("rle" if files.runs is not None else encoding)
        refuse_without_background(decision)
        notes += decision.notes
    return TileSet.of(
        path,
        files,
        scan.ids,
        scan.pixels.build(decision.table if decision else None),
        encoding=decision.encoding if decision else None,
        skipped=skipped,
        notes=notes,
    )


def _refuse_repeated(path: Path, files: TileFiles) -> None:
    if files.repeated:
        tile, names = next(iter(files.repeated.items()))
        raise DataError(
            f"{path} has several files for {plural(len(files.repeated), 'tile')}: {tile} is "
            + " and ".join(names),
            expected="one image and one mask for each tile",
            fix="remove or rename the extra files",
        )


def _without_partner(path: Path, files: TileFiles, *, skip_bad: bool) -> list[tuple[str, str]]:
    """Id and reason of each tile without image or mask; an error unless they may be left out."""
    partnerless = (
        ("images without a mask", "image without mask", files.unmasked),
        ("masks without an image", "mask without image", files.unpictured),
    )
    for found, _, ids in partnerless:
        if ids and not skip_bad:
            raise DataError(
                f"{path} has {found}: {listing(ids)}",
                expected="a mask of the same name for each image, and an image for each mask",
                fix=f"add the missing files, or leave these tiles out: {_SKIP}",
            )
    return [(tile, reason) for _, reason, ids in partnerless for tile in ids]


def _check(path: Path, scan: Scan, *, skip_bad: bool, labelled: bool, total: int) -> None:
    """Refuse bad tiles unless they may be left out, and sets with too few good ones."""
    if scan.bad and not skip_bad:
        first = scan.bad[0].problem
        more = f" ({len(scan.bad)} of {total} tiles cannot be used)" if len(scan.bad) > 1 else ""
        raise DataError(
            f"{path}: {first.found}{more}",
            expected=first.expected,
            fix=f"{first.fix}; `diapir data check {path}` lists all such tiles, "
            f"to leave them out: {_SKIP}",
        )
    if labelled and len(scan.ids) < 2:
        raise DataError(
            f"{path} has {plural(len(scan.ids), 'usable tile') if scan.ids else 'no usable tile'}",
            expected="at least two labelled tiles: one for training and one for validation",
            fix="add tiles; `diapir data synth --out DIR` makes some",
        )
    if not scan.ids:
        raise DataError(
            f"{path} has no usable tile",
            expected="at least one image that can be read",
            fix=f"diapir data check {path}",
        )
