"""Which files of a store are the tiles: the layouts of a tile set, and its tables.

| layout        | files                                                                       |
|---------------|-----------------------------------------------------------------------------|
| `kaggle`      | train/images train/masks train.csv depths.csv test/images, or Kaggle's zip  |
| `train_super` | trainSuper/images trainSuper/masks, named <id>_zssr_X2.00X2.00.png          |
| `pairs`       | images/ masks/, also in train/ and val/; or line7.png beside line7_mask.png |
| `synthetic`   | synthetic.json images/ masks/ groups.csv                                    |
| `images`      | any folder of images, if no masks are needed                                |

`layout_places` recognises folders, `pairing` the mask of an image by its name.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from diapir.errors import DataError
from diapir.tiles.files.decode import TILE_FORMATS
from diapir.tiles.files.file_store import Store
from diapir.tiles.files.layout_places import SUPER_SUFFIX, Layout, Part, Place, recognise
from diapir.tiles.files.pairing import beside, composed, pair, stem_of

VAL = "val/"
"""What the ids of tiles begin with that their set keeps apart for validation."""


@dataclass(frozen=True)
class TileFiles:
    """The files of a tile set by tile id, and its tables. No image has been opened yet."""

    layout: Layout
    images: dict[str, str]
    masks: dict[str, str]
    """Mask files by tile id; empty if the masks come from `runs`."""
    runs: dict[str, str] | None
    """Run-length encoded masks by tile id, if they are the source of the masks."""
    groups: dict[str, str]
    depths: dict[str, float]
    repeated: dict[str, tuple[str, ...]]
    """Files by the tile id that they share."""
    other: tuple[str, ...]
    """Files among the images and masks in a format that is not read."""
    notes: tuple[str, ...] = ()
    """What was taken for what, where names left a choice."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The mask file or run-length encoded mask of each tile."""
        return self.masks if self.runs is None else self.runs

    @property
    def unmasked(self) -> list[str]:
        """Ids of images without a mask, sorted."""
        return sorted(self.images.keys() - self.labels.keys())

    @property
    def unpictured(self) -> list[str]:
        """Ids of masks without an image, sorted."""
        return sorted(self.labels.keys() - self.images.keys())


class _Found(NamedTuple):
    """The images or the masks of a set."""

    files: dict[str, str]
    """One file for each tile id, sorted by id."""
    repeated: dict[str, tuple[str, ...]]
    other: tuple[str, ...]


def find_tiles(store: Store, *, labelled: bool, part: Part, rle: bool) -> TileFiles:
    """Recognise the layout of a store and list its tiles.

    Args:
        store: the files.
        labelled: whether masks are needed.
        part: Kaggle's `train` or `test`; other layouts have only `train`.
        rle: take the masks from `train.csv` even if there are mask files.

    Raises:
        DataError: an unknown layout, no images, no masks although they are needed, or a table that
            cannot be read.
    """
    place = _recognise(store, labelled=labelled, part=part)
    if place is None:
        return _pictures_with_masks(store)
    images = _by_id(store, _folders(place, "images"), place.layout)
    if not images.files:
        raise _no_files(store, place.images, "images", images.other)
    masks, runs, notes = _Found({}, {}, ()), None, [place.note] if place.note else []
    if labelled:
        masks, runs = _find_masks(store, place, rle=rle)
        if runs is None:
            masks, note = _paired(images, masks)
            notes += [note] if note else []
    depths_at = _first(store, f"{place.root}depths.csv", f"{place.home}depths.csv")
    return TileFiles(
        layout=place.layout,
        images=images.files,
        masks=masks.files if runs is None else {},
        runs=runs,
        groups=_find_groups(store, place, images.files),
        depths=_depths(store, depths_at) if depths_at else {},
        repeated=images.repeated | masks.repeated,
        other=images.other + masks.other,
        notes=tuple(notes),
    )


def _recognise(store: Store, *, labelled: bool, part: Part) -> Place | None:
    """Where the tiles are; None if they can only be pictures with their masks beside them."""
    place = recognise(store.names, str(store.path), labelled=labelled, part=part)
    if place is not None:
        return place
    if not labelled:
        return Place("images", "", "", "", "")
    if beside(_stems(store)):
        return None
    raise DataError(
        f"{store.path} has no known layout of tiles",
        expected="images/ and masks/ with the same names, also in train/ and val/, "
        "trainSuper/images and trainSuper/masks, Kaggle's zip, or masks beside their images, named "
        "with _mask at the end",
        fix="name the folder that holds images/ and masks/, in a zip as tiles.zip/FOLDER",
    )


def _stems(store: Store) -> dict[str, str]:
    """The files of a store that can be tiles or masks, by their path without suffix."""
    return {stem_of(name): name for name in store.names if _suffix(name) in TILE_FORMATS}


def _pictures_with_masks(store: Store) -> TileFiles:
    """Pictures with their masks beside them: line7.png and line7_mask.png in one folder."""
    stems = _stems(store)
    partners = beside(stems)
    found = _by_id(store, [("", "")], "pairs")
    return TileFiles(
        layout="pairs",
        images={stem: name for stem, name in sorted(stems.items()) if stem not in partners},
        masks={picture: stems[mask] for mask, picture in sorted(partners.items())},
        runs=None,
        groups=_tables_of_groups(store, [("groups.csv", "")]),
        depths={},
        repeated=found.repeated,
        other=(),
        notes=("masks are the files beside their images, named as these with _mask or the like",),
    )


def _folders(place: Place, kind: str) -> list[tuple[str, str]]:
    """The folders of images or masks, and what the ids of their tiles begin with."""
    folders = [(getattr(place, kind), "")]
    if place.val is not None:
        folders.append((getattr(place.val, kind), VAL))
    return folders


def _no_files(store: Store, folder: str, what: str, other: Iterable[str]) -> DataError:
    """The error for a folder without images or masks that can be read."""
    suffixes = sorted({_suffix(name) or "none" for name in other if name.startswith(folder)})
    unread = f", only files that are not read ({', '.join(suffixes)})" if suffixes else ""
    masks = what == "masks"
    return DataError(
        f"there are no {what} in {_where(store, folder)}{unread}",
        expected=("a mask for each image, or Kaggle's train.csv; files" if masks else "files")
        + " ending in "
        + ", ".join(TILE_FORMATS),
        fix="put the masks there; `diapir predict` needs no masks"
        if masks
        else "correct the path, or put the images there",
    )


def _find_masks(store: Store, place: Place, *, rle: bool) -> tuple[_Found, dict[str, str] | None]:
    """The mask files, and the run-length encoded masks if these are to be used."""
    masks = _by_id(store, _folders(place, "masks"), place.layout)
    table = _first(store, f"{place.home}train.csv", f"{place.root}train.csv")
    if rle and table is None:
        raise DataError(
            f"there is no train.csv in {_where(store, place.home)}",
            expected="Kaggle's train.csv with id, rle_mask for the encoding rle",
            fix="--set data.mask_encoding=auto to read the mask files",
        )
    if table and (rle or not masks.files):
        return masks, dict(_table(store, table, "id", "rle_mask"))
    if not masks.files:
        raise _no_files(store, place.masks, "masks", masks.other)
    return masks, None


def _paired(images: _Found, masks: _Found) -> tuple[_Found, str]:
    """The masks by the ids of their images, and a note where names differ."""
    pairs, note = pair(
        images.files.keys() - masks.files.keys(), masks.files.keys() - images.files.keys()
    )
    files = {pairs.get(tile, tile): name for tile, name in masks.files.items()}
    return masks._replace(files=dict(sorted(files.items()))), note


def _find_groups(store: Store, place: Place, images: Mapping[str, str]) -> dict[str, str]:
    at = _first(store, f"{place.root}groups.csv", f"{place.home}groups.csv")
    tables = [(at, "")] if at else []
    if place.val is not None and f"{place.val.root}groups.csv" not in {at}:
        tables.append((f"{place.val.root}groups.csv", VAL))
    groups = _tables_of_groups(store, tables)
    if groups and groups.keys().isdisjoint(images):
        raise DataError(
            f"{_where(store, at or '')} names {next(iter(groups))!r} and none of the "
            f"{len(images)} tiles, such as {next(iter(images))!r}",
            expected="the ids of tiles: their file names below images/, without the suffix",
            fix="correct the column id, or remove the table: then every tile is its own group",
        )
    return groups


def _tables_of_groups(store: Store, tables: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The groups of the tables that are there, and what the ids in each begin with."""
    return {
        start + tile: group
        for name, start in tables
        if name in store.names
        for tile, group in _table(store, name, "id", "group")
    }


def _by_id(store: Store, folders: Iterable[tuple[str, str]], layout: Layout) -> _Found:
    """The files below folders by tile id; each folder with what the ids of its tiles begin with."""
    files: dict[str, list[str]] = {}
    other = []
    places = list(folders)
    for name in store.names:
        place = next((one for one in places if name.startswith(one[0])), None)
        if place is None:
            continue
        folder, start = place
        inside = name[len(folder) :]
        if _suffix(inside) not in TILE_FORMATS:
            other.append(name)
            continue
        tile = stem_of(inside)
        if layout == "train_super":
            tile = tile.removesuffix(SUPER_SUFFIX)
        files.setdefault(start + tile, []).append(name)
    return _Found(
        {tile: found[0] for tile, found in sorted(files.items())},
        {tile: tuple(found) for tile, found in files.items() if len(found) > 1},
        () if layout == "images" else tuple(other),
    )


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _table(store: Store, name: str, key: str, value: str) -> Iterator[tuple[str, str]]:
    """Two columns of a CSV file with a header."""
    try:
        text = store.read(name).decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text), strict=True)
        if rows.fieldnames is None or not {key, value} <= set(rows.fieldnames):
            raise DataError(
                f"{_where(store, name)} has the columns {', '.join(rows.fieldnames or ['none'])}",
                expected=f"a first line with {key},{value}, separated by a comma",
                fix="correct the first line, or save the table again as comma-separated text",
            )
        seen: set[str] = set()
        for row in rows:
            if row[key] in seen or not row[key]:
                problem = f"names {row[key]!r} twice" if row[key] else "has a row without an id"
                raise DataError(
                    f"{_where(store, name)} {problem} (line {rows.line_num})",
                    expected="one row for each tile",
                    fix="remove the row that is wrong",
                )
            seen.add(row[key])
            yield composed(row[key]), row[value] or ""
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{_where(store, name)} cannot be read: {error}",
            expected=f"comma-separated text in UTF-8 with the columns {key},{value}",
            fix="save it again as CSV",
        ) from None


def _depths(store: Store, name: str) -> dict[str, float]:
    depths = {}
    for tile, text in _table(store, name, "id", "z"):
        try:
            depths[tile] = _depth(text) if text else math.nan
        except ValueError:
            raise DataError(
                f"{_where(store, name)} gives {tile} the depth {text!r}",
                expected="a number, or nothing if the depth is unknown",
                fix="correct the row",
            ) from None
    return depths


def _first(store: Store, *names: str) -> str | None:
    return next((name for name in names if name in store.names), None)


def _where(store: Store, name: str) -> str:
    return str(store.path / name)


_DEEPEST = 1e9
"""Largest depth, in any unit, that is not a typing error."""


def _depth(text: str) -> float:
    depth = float(text)
    if abs(depth) > _DEEPEST:
        raise ValueError("no depth")
    return depth
