"""Which files of a store are the tiles: the layouts of a tile set, and its tables.

| layout        | files                                                                       |
|---------------|-----------------------------------------------------------------------------|
| `kaggle`      | train/images train/masks train.csv depths.csv test/images, or Kaggle's zip  |
| `train_super` | trainSuper/images trainSuper/masks, named <id>_zssr_X2.00X2.00.png          |
| `pairs`       | images/ masks/ with the same names                                          |
| `synthetic`   | synthetic.json images/ masks/ groups.csv                                    |
| `images`      | any folder of images, if no masks are needed                                |
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from diapir.errors import DataError
from diapir.tiles.files.decode import FORMATS
from diapir.tiles.files.file_store import Store

Layout = Literal["kaggle", "train_super", "pairs", "synthetic", "images"]
Part = Literal["train", "test"]
SUPER_SUFFIX = "_zssr_X2.00X2.00"
"""What super-resolving ×2 appended to a tile's id."""


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


class _Place(NamedTuple):
    """Where the tiles of a layout are; each folder is "" or like "a/b/"."""

    layout: Layout
    home: str
    """The folder of the tables."""
    root: str
    """The folder that holds images/ and masks/."""


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
    images_at = place.root if place.layout == "images" else f"{place.root}images/"
    images = _by_id(store, images_at, place.layout)
    if not images.files:
        raise DataError(
            f"there are no images in {_where(store, images_at)}",
            expected="files ending in " + ", ".join(FORMATS),
            fix="correct the path, or put the images there",
        )
    masks, runs = _Found({}, {}, ()), None
    if labelled:
        masks, runs = _find_masks(store, place, rle=rle)
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
    )


def _recognise(store: Store, *, labelled: bool, part: Part) -> _Place:
    names = set(store.names)
    folders = {f"{parent}/" for name in names for parent in PurePosixPath(name).parents}
    tops = {name.split("/", 1)[0] for name in names}
    homes = [""]
    if len(tops) == 1 and (wrapper := f"{tops.pop()}/") in folders:
        homes.append(wrapper)  # a zip of a folder holds that folder
    for home in homes:
        parts = _parts_at(home, names, folders)
        if part in parts:
            return parts[part]
        if parts:
            raise DataError(
                f"{store.path} has no {part} part",
                expected=f"{part}/images, or {part}.zip",
                fix="name a tile set that has it",
            )
    if labelled:
        raise DataError(
            f"{store.path} has no known layout of tiles",
            expected="images/ and masks/ with the same names, train/images and train/masks, "
            "trainSuper/images and trainSuper/masks, or Kaggle's zip",
            fix="name the folder that holds images/ and masks/",
        )
    return _Place("images", "", "")


def _parts_at(home: str, names: set[str], folders: set[str]) -> dict[Part, _Place]:
    """The parts of the layout whose tables are in the folder `home`; none if there is no layout."""
    if f"{home}trainSuper/images/" in folders:
        return {"train": _Place("train_super", home, f"{home}trainSuper/")}
    parts: tuple[Part, ...] = ("train", "test")
    kaggle = {
        part: _Place("kaggle", home, f"{home}{part}/")
        for part in parts
        if f"{home}{part}/images/" in folders
    }
    if not kaggle and f"{home}images/" in folders:
        return {"train": _Place(_recognise_pairs(names, home), home, home)}
    return kaggle


def _recognise_pairs(names: set[str], home: str) -> Layout:
    if f"{home}synthetic.json" in names:
        return "synthetic"
    if any(name.startswith(f"{home}images/") and SUPER_SUFFIX in name for name in names):
        return "train_super"
    if f"{home}train.csv" in names or f"{home}depths.csv" in names:
        return "kaggle"
    return "pairs"


def _find_masks(store: Store, place: _Place, *, rle: bool) -> tuple[_Found, dict[str, str] | None]:
    """The mask files, and the run-length encoded masks if these are to be used."""
    masks = _by_id(store, f"{place.root}masks/", place.layout)
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
        raise DataError(
            f"there are no masks in {_where(store, f'{place.root}masks/')}",
            expected="a mask in masks/ for each image in images/, or Kaggle's train.csv",
            fix="put the masks there; `diapir predict` needs no masks",
        )
    return masks, None


def _find_groups(store: Store, place: _Place, images: Mapping[str, str]) -> dict[str, str]:
    at = _first(store, f"{place.root}groups.csv", f"{place.home}groups.csv")
    groups = dict(_table(store, at, "id", "group")) if at else {}
    if groups and groups.keys().isdisjoint(images):
        raise DataError(
            f"{_where(store, at or '')} names {next(iter(groups))!r} and none of the "
            f"{len(images)} tiles, such as {next(iter(images))!r}",
            expected="the ids of tiles: their file names below images/, without the suffix",
            fix="correct the column id, or remove the table: then every tile is its own group",
        )
    return groups


def _by_id(store: Store, folder: str, layout: Layout) -> _Found:
    """The files below a folder by tile id."""
    files: dict[str, list[str]] = {}
    other = []
    for name in store.names:
        if not name.startswith(folder):
            continue
        inside = PurePosixPath(name[len(folder) :])
        if inside.suffix.lower() not in FORMATS:
            other.append(name)
            continue
        tile = str(inside.with_suffix(""))
        if layout == "train_super":
            tile = tile.removesuffix(SUPER_SUFFIX)
        files.setdefault(tile, []).append(name)
    return _Found(
        {tile: found[0] for tile, found in sorted(files.items())},
        {tile: tuple(found) for tile, found in files.items() if len(found) > 1},
        () if layout == "images" else tuple(other),
    )


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
            yield row[key], row[value] or ""
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
