"""Which files of a store are the tiles: the layouts a set may have, and its tables.

| layout        | files                                                                       |
|---------------|-----------------------------------------------------------------------------|
| `kaggle`      | train/images train/masks train.csv depths.csv test/images, or Kaggle's zip  |
| `train_super` | trainSuper/images trainSuper/masks, named <id>_zssr_X2.00X2.00.png          |
| `pairs`       | images/ masks/ with the same names                                          |
| `synthetic`   | synthetic.json images/ masks/ groups.csv                                    |
| `images`      | any folder of images; only where no masks are asked for                     |
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from diapir.errors import DataError
from diapir.tiles.files.decode import FORMATS
from diapir.tiles.files.file_store import Store

Layout = Literal["kaggle", "train_super", "pairs", "synthetic", "images"]
Part = Literal["train", "test"]
SUPER_SUFFIX = "_zssr_X2.00X2.00"
"""What super-resolving ×2 appended to a tile's id."""


@dataclass(frozen=True)
class Listing:
    """The files of a tile set by tile id, and what its tables say. No picture has been opened."""

    layout: Layout
    images: dict[str, str]
    masks: dict[str, str]
    """Mask files by tile id; empty where masks come from `runs`."""
    runs: dict[str, str] | None
    """Run-length encoded masks by tile id, where they are the source of the masks."""
    groups: dict[str, str]
    depths: dict[str, float]
    repeated: dict[str, tuple[str, ...]]
    """Ids that several files claim."""
    other: tuple[str, ...]
    """Files among the images and masks that are of no format that is read."""

    @property
    def unmasked(self) -> list[str]:
        """Ids of images without a mask, sorted."""
        return sorted(self.images.keys() - (self.masks if self.runs is None else self.runs).keys())

    @property
    def unpictured(self) -> list[str]:
        """Ids of masks without an image, sorted."""
        return sorted((self.masks if self.runs is None else self.runs).keys() - self.images.keys())


def find_tiles(store: Store, *, labelled: bool, part: Part, rle: bool) -> Listing:
    """Recognise the layout of a store and list its tiles.

    Args:
        store: the files.
        labelled: whether masks are needed.
        part: Kaggle's `train` or `test`; other layouts have only `train`.
        rle: take the masks from `train.csv` even where there are mask files.

    Raises:
        DataError: no layout that is known, no images, no masks where they are needed, or a table
            that cannot be read.
    """
    layout, home, root = _recognise(store, labelled=labelled, part=part)
    images_at = root if layout == "images" else f"{root}images/"
    images, repeated, other = _by_id(store, images_at, layout)
    if not images:
        raise DataError(
            f"there are no images in {_where(store, images_at)}",
            expected="files ending in " + ", ".join(FORMATS),
            fix="correct the path, or put the images there",
        )
    masks: dict[str, str] = {}
    runs = None
    if labelled:
        masks, repeated_masks, other_masks = _by_id(store, f"{root}masks/", layout)
        repeated |= repeated_masks
        other += other_masks
        table = _first(store, f"{home}train.csv", f"{root}train.csv")
        if rle or (not masks and table):
            if table is None:
                raise DataError(
                    f"there is no train.csv in {_where(store, home)}",
                    expected="Kaggle's train.csv with id, rle_mask for the encoding rle",
                    fix="--set data.mask_encoding=auto to read the mask files",
                )
            masks, runs = {}, dict(_table(store, table, "id", "rle_mask"))
        elif not masks:
            raise DataError(
                f"there are no masks in {_where(store, f'{root}masks/')}",
                expected="a mask in masks/ for each image in images/, or Kaggle's train.csv",
                fix="put the masks there; `diapir predict` needs none",
            )
    groups_at = _first(store, f"{root}groups.csv", f"{home}groups.csv")
    depths_at = _first(store, f"{root}depths.csv", f"{home}depths.csv")
    groups = dict(_table(store, groups_at, "id", "group")) if groups_at else {}
    if groups and groups.keys().isdisjoint(images):
        raise DataError(
            f"{_where(store, groups_at or '')} names {next(iter(groups))!r} and none of the "
            f"{len(images)} tiles, such as {next(iter(images))!r}",
            expected="the ids of tiles: their file names below images/, without the suffix",
            fix="correct the column id, or remove the table: then every tile is its own group",
        )
    return Listing(
        layout,
        images,
        masks,
        runs,
        groups,
        _depths(store, depths_at) if depths_at else {},
        repeated,
        other,
    )


def _recognise(store: Store, *, labelled: bool, part: Part) -> tuple[Layout, str, str]:
    """Layout, the folder of its tables, and the folder that holds images/ (each "" or "a/b/")."""
    names = set(store.names)
    folders = {f"{parent}/" for name in names for parent in PurePosixPath(name).parents}
    tops = {name.split("/", 1)[0] for name in names}
    homes = [""]
    if len(tops) == 1 and (wrapper := f"{tops.pop()}/") in folders:
        homes.append(wrapper)  # a zip of a folder holds that folder
    for home in homes:
        found: tuple[Layout, str, str] | None = None
        if f"{home}trainSuper/images/" in folders:
            found = "train_super", home, f"{home}trainSuper/"
        elif f"{home}{part}/images/" in folders:
            return "kaggle", home, f"{home}{part}/"
        elif f"{home}train/images/" in folders or f"{home}test/images/" in folders:
            raise _no_part(store, part)
        elif f"{home}images/" in folders:
            found = _recognise_pairs(names, home), home, home
        if found and part == "test":
            raise _no_part(store, part)
        if found:
            return found
    if labelled:
        raise DataError(
            f"no layout of tiles is recognised in {store.path}",
            expected="images/ and masks/ with the same names, train/images and train/masks, "
            "trainSuper/images and trainSuper/masks, or Kaggle's zip",
            fix="name the folder that holds images/ and masks/",
        )
    return "images", "", ""


def _recognise_pairs(names: set[str], home: str) -> Layout:
    if f"{home}synthetic.json" in names:
        return "synthetic"
    if any(name.startswith(f"{home}images/") and SUPER_SUFFIX in name for name in names):
        return "train_super"
    if f"{home}train.csv" in names or f"{home}depths.csv" in names:
        return "kaggle"
    return "pairs"


def _by_id(
    store: Store, folder: str, layout: Layout
) -> tuple[dict[str, str], dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Files below a folder by tile id, the ids met more than once, and the files of no format."""
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
    return (
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
            depths[tile] = float(text) if text else math.nan
        except ValueError:
            raise DataError(
                f"{_where(store, name)} gives {tile} the depth {text!r}",
                expected="a number, or nothing where it is unknown",
                fix="correct the row",
            ) from None
    return depths


def _first(store: Store, *names: str) -> str | None:
    return next((name for name in names if name in store.names), None)


def _no_part(store: Store, part: Part) -> DataError:
    return DataError(
        f"{store.path} has no {part} part",
        expected=f"{part}/images, or {part}.zip",
        fix="name a set that has it",
    )


def _where(store: Store, name: str) -> str:
    return str(store.path / name)
