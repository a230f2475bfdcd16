"""Predictions in the form that Kaggle's TGS Salt Identification Challenge takes.

One line `id,rle_mask` per tile, encoded by `diapir.tiles.files.rle`; blank where there is no salt.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diapir.errors import DataError
from diapir.files import replace_file
from diapir.inference.postprocess import check_marking, salt_mask
from diapir.tiles import rle_encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diapir.inference.predictor import Marker, Progress
    from diapir.tiles import TileSet

COLUMNS = ("id", "rle_mask")

_CHUNK = 256
"""Tiles predicted at once, so that memory does not grow with the set."""


@dataclass(frozen=True)
class Submission:
    """What was written.

    Attributes:
        out: the file.
        tiles: number of its lines.
        empty: tiles of these in which no salt is marked.
        salt_share: share of salt in all pixels.
        threshold: probability from which a pixel counts as salt.
        min_area: pixels; connected salt of fewer than this was left out.
    """

    out: Path
    tiles: int
    empty: int
    salt_share: float
    threshold: float
    min_area: int

    def to_json(self) -> dict[str, Any]:
        """As JSON can say it."""
        return asdict(self) | {"out": str(self.out)}


def write_submission(
    predictor: Marker,
    tiles: TileSet,
    out: Path,
    *,
    threshold: float | None = None,
    min_area: int | None = None,
    progress: Progress | None = None,
) -> Submission:
    """Predict tiles and write their masks as `id,rle_mask` lines, whole or not at all.

    Args:
        predictor: the model, or several as one.
        tiles: any tiles, labelled or not; lines are in the order of their ids.
        out: the file; one that was there is replaced where it is a submission of these tiles.
        threshold: probability from which a pixel counts as salt; None takes the model's.
        min_area: pixels; connected salt of fewer than this is left out; None takes the model's.
        progress: called with the tiles done and all tiles.

    Raises:
        DataError: a file of something else, tiles the model cannot take, or a disk that is full or
            read-only.
        ConfigError: a threshold or a least area out of range.
    """
    threshold = predictor.threshold if threshold is None else threshold
    min_area = predictor.min_area if min_area is None else min_area
    check_marking(threshold, min_area)
    ids = sorted(tiles.ids)
    tiles = tiles.select(ids)
    _refuse_other(out, ids)
    runs: list[str] = []
    salt = pixels = 0
    for start in range(0, len(tiles), _CHUNK):
        chunk = range(start, min(start + _CHUNK, len(tiles)))
        for probability in predictor.probabilities([tiles.image(index) for index in chunk]):
            mask = salt_mask(probability, threshold, min_area)
            salt += int(mask.sum())
            pixels += mask.size
            runs.append(rle_encode(mask))
        if progress:
            progress(len(runs), len(tiles))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, submission_text(zip(ids, runs, strict=True)))
    except OSError as error:
        raise DataError(
            f"{out} could not be written: {error.strerror or error}",
            expected="a writable place with enough space",
            fix="free space, or choose another --out",
        ) from None
    return Submission(
        out, len(ids), sum(not text for text in runs), salt / pixels, threshold, min_area
    )


def submission_text(rows: Iterable[tuple[str, str]]) -> str:
    """The table of tile ids and their runs."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows)
    return text.getvalue()


def _refuse_other(out: Path, ids: list[str]) -> None:
    """Refuse to replace anything but a submission of the same tiles, even the set's own masks."""
    if not out.exists():
        return
    found = "is a folder"
    if out.is_file():
        found = "is no submission of these tiles"
        try:
            with out.open(encoding="utf-8", newline="") as stream:
                rows = csv.reader(stream, strict=True)
                if tuple(next(rows, ())) == COLUMNS and [row[0] for row in rows if row] == ids:
                    return
        except (OSError, UnicodeDecodeError, csv.Error):
            found = "is no table"
    raise DataError(
        f"{out} {found}",
        expected="a new file, or an earlier submission of the same tiles",
        fix="choose another --out",
    )
