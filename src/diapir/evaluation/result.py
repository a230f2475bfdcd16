"""An evaluation as a thing: scores of all tiles and of each, kept in a folder and read back.

    evaluation/  evaluation.json  tiles.csv

Both are written whole or not at all, and `evaluation.json`, written last, holds the hash of the
`tiles.csv` it belongs to.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from diapir.errors import DataError, RunError
from diapir.files import replace_file

SCORES = "evaluation.json"
TILES = "tiles.csv"
_FORMAT = 2


@dataclass(frozen=True)
class TileScore:
    """One tile, at the evaluation's threshold.

    Attributes:
        id: the tile's id.
        group: its section group; its own id where unknown.
        pixels: number of its valid pixels, which the shares below are of.
        coverage: share of salt among its valid pixels.
        predicted: share of predicted salt among its valid pixels.
        dice, iou: both empty = 1, one empty = 0.
        kaggle_ap: share of the ten Kaggle thresholds that its IoU exceeds.
    """

    id: str
    group: str
    pixels: int
    coverage: float
    predicted: float
    dice: float
    iou: float
    kaggle_ap: float

    @property
    def wrong(self) -> float:
        """Share of wrong pixels among its valid ones."""
        return (1 - self.dice) * (self.coverage + self.predicted)


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on one tile set.

    Attributes:
        metrics: by the design's keys: `dice, iou, dice_per_image, iou_per_image, kaggle_map,
            soft_dice, precision, recall, pixel_accuracy, ece, n_images, threshold`, and `ci95`:
            `{key: [low, high]}` of the first ten, but for those that `bootstrap.intervals`
            cannot estimate, as of a single section group.
        by_coverage: a row a class of salt coverage, see `breakdown.by_coverage`.
        sweep: a row a threshold, see `breakdown.sweep`.
        calibration: a row a bin of probability, see `breakdown.calibration`.
        tiles: every scored tile, in the order of the tile set.
        model: what was judged; empty where only probabilities were given.
        data: what it was judged on: `name, part, hash, n_images, n_groups, n_unscored` (tiles
            without a valid pixel, of which nothing can be said; they count nowhere).
    """

    metrics: dict[str, Any]
    by_coverage: list[dict[str, Any]]
    sweep: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    tiles: list[TileScore]
    model: dict[str, Any]
    data: dict[str, Any]

    def worst(self, number: int) -> list[str]:
        """Ids of the tiles of lowest Dice, worst first; of equals those with more wrong pixels."""
        ranked = sorted(self.tiles, key=lambda tile: (tile.dice, -tile.wrong, tile.id))
        return [tile.id for tile in ranked[:number]]

    def best(self, number: int) -> list[str]:
        """Ids of the tiles of highest Dice, best first.

        Tiles with salt come before empty ones, whose Dice of 1 only says that nothing was found.
        """
        ranked = sorted(
            self.tiles,
            key=lambda tile: (tile.coverage == 0, -tile.dice, -tile.coverage, tile.id),
        )
        return [tile.id for tile in ranked[:number]]

    def save(self, folder: Path) -> None:
        """Write `evaluation.json` and `tiles.csv` into `folder`, which is made where missing.

        Raises:
            RunError: the disk is full or not writable; what was there before is kept.
        """
        content = asdict(self)
        del content["tiles"]
        table = _table(self.tiles)
        head = {"format": _FORMAT, "tiles_sha256": hashlib.sha256(table).hexdigest()}
        text = json.dumps(head | content, indent=2, allow_nan=False) + "\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(folder / SCORES, text.encode())
            replace_file(folder / TILES, table)
        except OSError as error:
            raise RunError(
                f"the evaluation could not be saved in {folder}: {error.strerror or error}",
                expected="a writable folder with a few MB free",
                fix="free space or choose another --out",
            ) from None

    @classmethod
    def load(cls, folder: Path) -> Evaluation:
        """Read what `save` wrote.

        Raises:
            DataError: a file is missing or unreadable, or the two do not belong together.
        """
        try:
            content = json.loads((folder / SCORES).read_bytes())
            table = (folder / TILES).read_bytes()
            if content.pop("format") != _FORMAT:
                raise ValueError(f"{SCORES} has another format than {_FORMAT}")
            if content.pop("tiles_sha256") != hashlib.sha256(table).hexdigest():
                raise ValueError(f"{TILES} is not the one that {SCORES} was written with")
            return cls(tiles=_tile_scores(table), **content)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}"
        except KeyError as error:
            reason = f"{SCORES} has no {error}"
        except (ValueError, TypeError, AttributeError) as error:
            reason = str(error)
        raise DataError(
            f"no evaluation can be read from {folder}: {reason}",
            expected=f"a folder with {SCORES} and {TILES} as `diapir evaluate` writes them",
            fix="evaluate again: diapir evaluate MODEL --data PATH --out DIR",
        )


def _table(tiles: list[TileScore]) -> bytes:
    """`tiles.csv`. Quoted text and bare numbers keep an id like `007` what it is."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(field.name for field in fields(TileScore))
    writer.writerows(astuple(tile) for tile in tiles)
    # a file name need not be valid Unicode, and ids come from file names
    return stream.getvalue().encode(errors="surrogateescape")


def _tile_scores(table: bytes) -> list[TileScore]:
    stream = io.StringIO(table.decode(errors="surrogateescape"), newline="")
    # the reader turns what is not quoted into floats
    rows: Iterator[list[Any]] = csv.reader(stream, quoting=csv.QUOTE_NONNUMERIC)
    next(rows)
    return [TileScore(tile, group, int(pixels), *shares) for tile, group, pixels, *shares in rows]
