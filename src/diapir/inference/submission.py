"""Submissions to Kaggle's TGS Salt Identification Challenge.

One line `id,rle_mask` per tile, encoded by `diapir.tiles.files.rle`; empty without salt.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diapir.files import claim, disk_errors, replace_file
from diapir.inference.postprocess import check_postprocessing, salt_mask
from diapir.tiles import rle_encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from diapir.inference.predictor import Segmenter
    from diapir.progress import Progress
    from diapir.tiles import TileSet

COLUMNS = ("id", "rle_mask")

_CHUNK = 256
"""Tiles predicted at once, so that memory does not grow with the set."""


@dataclass(frozen=True)
class Submission:
    """Summary of a submission.

    Attributes:
        out: the file.
        tiles: number of its lines.
        empty: tiles without predicted salt.
        salt_share: share of salt in all pixels.
        threshold: pixels with at least this probability were predicted as salt.
        min_area: minimum component size in pixels; smaller components were removed.
        replaced: whether it replaced an earlier submission of the same tiles.
    """

    out: Path
    tiles: int
    empty: int
    salt_share: float
    threshold: float
    min_area: int
    replaced: bool = False

    def to_json(self) -> dict[str, Any]:
        """The content as JSON values."""
        return asdict(self) | {"out": str(self.out)}


def write_submission(
    predictor: Segmenter,
    tiles: TileSet,
    out: Path,
    *,
    threshold: float | None = None,
    min_area: int | None = None,
    progress: Progress | None = None,
) -> Submission:
    """Predict tiles and write their masks as `id,rle_mask` lines, all of them or none.

    Args:
        predictor: the model, or an ensemble.
        tiles: any tiles, labelled or not; lines are sorted by their ids.
        out: the file; an earlier submission of the same tiles is replaced.
        threshold: pixels with at least this probability are salt; None for the model's own.
        min_area: minimum component size in pixels; None for the model's own.
        progress: called with the tiles done and all tiles.

    Raises:
        DataError: `out` is another file, tiles the model cannot take, or a disk that is full or
            read-only.
        ConfigError: a threshold or a minimum component size out of range.
    """
    threshold = predictor.threshold if threshold is None else threshold
    min_area = predictor.min_area if min_area is None else min_area
    check_postprocessing(threshold, min_area)
    ids = sorted(tiles.ids)
    tiles = tiles.select(ids)
    replaced = claim(
        out,
        holds="a submission of the same tiles",
        ours=lambda path: _is_submission(path, ids),
        folder=False,
    )
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
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, submission_text(zip(ids, runs, strict=True)))
    empty = sum(not text for text in runs)
    return Submission(out, len(ids), empty, salt / pixels, threshold, min_area, replaced)


def submission_text(rows: Iterable[tuple[str, str]]) -> str:
    """The table of tile ids and run-length encoded masks."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows)
    return text.getvalue()


def _is_submission(path: Path, ids: list[str]) -> bool:
    """Whether a file is a submission of these tiles; the set's own masks may be another table."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, strict=True)
        try:
            return tuple(next(rows, ())) == COLUMNS and [row[0] for row in rows if row] == ids
        except csv.Error:
            return False
