"""`diapir data mosaic`: the sections of a tile set, their groups and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from diapir.config import IGNORE, MaskEncoding
from diapir.errors import DataError
from diapir.text import plural
from diapir.tiles.files.loading import load_tiles
from diapir.tiles.mosaic.assemble import find_mosaic
from diapir.tiles.mosaic.mosaic_files import claim_folder, save_mosaic
from diapir.tiles.mosaic.reliability import figure_lines, mosaic_figures
from diapir.tiles.tileset import TileSet

LEAST = 16
"""Minimum height and width of tiles in pixels: shorter edges are too similar."""


@dataclass(frozen=True)
class MosaicSummary:
    """The result of making a mosaic.

    Attributes:
        out: the folder.
        figures: see `mosaic_figures`.
        notes: how the tiles were read, and those that were left out, with the reason.
    """

    out: Path
    figures: dict[str, Any]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """The result as lines of text."""
        return [*(f"note: {note}" for note in self.notes), *figure_lines(self.figures)]


def make_mosaic(
    path: str | Path,
    out: str | Path,
    *,
    encoding: MaskEncoding | Literal["auto"] = "auto",
    skip_bad: bool = False,
) -> MosaicSummary:
    """Assemble the tiles of a set into sections and write them.

    In Kaggle's layout the unlabelled test tiles are included, as they may connect labelled tiles.

    Args:
        path: labelled tiles of one size, in any layout.
        out: a new or empty folder, or an earlier mosaic.
        encoding: mask encoding; `auto` recognises it from the values of the whole set.
        skip_bad: leave out tiles that cannot be read.

    Raises:
        DataError: tiles that cannot be used, differ in size or are too small, or a folder that
            holds something else or cannot be written.
    """
    out = Path(out)
    claim_folder(out)
    tiles = load_tiles(path, encoding=encoding, skip_bad=skip_bad)
    _require_one_size(tiles)
    images, masks = tiles.stack(range(len(tiles)))
    ids = list(tiles.ids)
    notes = [*tiles.notes, *(f"left out {tile}: {reason}" for tile, reason in tiles.skipped)]
    if tiles.layout == "kaggle":
        more, note = _unlabelled(path, tiles, skip_bad=skip_bad)
        notes += note
        if more:
            ids += [tile for tile, _ in more]
            images = np.concatenate([images, np.stack([image for _, image in more])])
            unknown = np.full((len(more), *masks.shape[1:]), IGNORE, np.uint8)
            masks = np.concatenate([masks, unknown])
    mosaic = find_mosaic(images)
    labelled = np.arange(len(ids)) < len(tiles)
    figures = mosaic_figures(mosaic, mosaic.groups(ids), masks, labelled)
    save_mosaic(out, mosaic, ids, images, masks, figures)
    return MosaicSummary(out, figures, tuple(notes))


def _require_one_size(tiles: TileSet) -> None:
    sizes = sorted({f"{height} × {width}" for height, width in tiles.shapes.tolist()})
    if len(sizes) > 1 or tiles.shapes.min() < LEAST:
        raise DataError(
            f"the tiles of {tiles.path} are {', '.join(sizes[:4])} pixels",
            expected=f"tiles of one size of at least {LEAST} pixels each way",
            fix="make one tile set for each size",
        )


def _unlabelled(
    path: str | Path, tiles: TileSet, *, skip_bad: bool
) -> tuple[list[tuple[str, np.ndarray[Any, np.dtype[np.uint8]]]], list[str]]:
    """Kaggle's test tiles by id, and notes on those that were left out."""
    try:
        test = load_tiles(path, labelled=False, part="test", skip_bad=skip_bad)
    except DataError as error:
        return [], [f"without the unlabelled tiles: {error.found}"]
    height, width = tiles.shapes[0].tolist()
    known = set(tiles.ids)
    fitting = [
        (tile, test.image(index))
        for index, tile in enumerate(test.ids)
        if tile not in known and tuple(test.shapes[index]) == (height, width)
    ]
    notes = [note for note in test.notes if note not in tiles.notes]
    notes += [f"left out {tile}: {reason}" for tile, reason in test.skipped]
    if others := len(test) - len(fitting):
        notes.append(
            f"left out {plural(others, 'unlabelled tile')} of another size or with an id in use"
        )
    return fitting, notes
