"""groups.csv: the section that each tile was cut from, as `diapir data mosaic` finds it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from diapir.errors import DataError

if TYPE_CHECKING:
    from diapir.tiles.tileset import TileSet

COLUMNS = ("id", "group")

_AGAIN = "make it again: diapir data mosaic PATH --out DIR"


def groups_text(groups: Mapping[str, str]) -> str:
    """The table of tile ids and their groups, sorted by id."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(sorted(groups.items()))
    return table.getvalue()


def read_groups(path: str | Path) -> dict[str, str]:
    """The group of each tile that a groups.csv names.

    Raises:
        DataError: a missing file, missing columns, an id twice, or a row without id or group.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise _unusable(path, "it is not a file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise _unusable(path, "it is not UTF-8 text") from None
    groups: dict[str, str] = {}
    try:
        rows = csv.DictReader(io.StringIO(text), strict=True)
        if not set(COLUMNS) <= set(rows.fieldnames or ()):
            raise _unusable(path, f"its columns are {', '.join(rows.fieldnames or ['none'])}")
        for row in rows:
            tile, group = row["id"], row["group"]
            if not tile or not group:
                raise _unusable(path, f"line {rows.line_num} lacks an id or a group")
            if tile in groups:
                raise _unusable(path, f"line {rows.line_num} names {tile!r} again")
            groups[tile] = group
    except csv.Error as error:
        raise _unusable(path, str(error)) from None
    return groups


def with_groups(tiles: TileSet, path: str | Path) -> TileSet:
    """The tiles with the groups of a groups.csv, which may name further tiles.

    Raises:
        DataError: the table cannot be read, or lacks tiles. If these became groups of their own, a
            split could divide their true section unnoticed.
    """
    groups = read_groups(path)
    missing = [tile for tile in tiles.ids if tile not in groups]
    if missing:
        raise DataError(
            f"{path} lacks {len(missing)} of the {len(tiles)} tiles of {tiles.path}, such as "
            f"{missing[0]!r}",
            expected="a group for every tile; a single tile has its own id as group",
            fix=_AGAIN,
        )
    return replace(tiles, groups=tuple(groups[tile] for tile in tiles.ids))


def _unusable(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} cannot be used as groups: {reason}",
        expected="a table in UTF-8 with the columns id,group and one row for each tile",
        fix=_AGAIN,
    )
