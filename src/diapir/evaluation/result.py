"""The result of an evaluation: scores of all tiles and of each tile, saved in a folder.

    evaluation/  evaluation.json  tiles.csv

Each file is written whole or not at all, and `evaluation.json` holds the hash of its `tiles.csv`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from diapir.errors import DataError, RunError
from diapir.files import claim, replace_file, unwritable
from diapir.json_text import parse_json
from diapir.run.folder import EVALUATION

SCORES = "evaluation.json"
TILES = "tiles.csv"
_FORMAT = 2


@dataclass(frozen=True)
class TileScore:
    """The scores of one tile, at the threshold of the evaluation.

    Attributes:
        id: of the tile.
        group: its section group; its own id if unknown.
        pixels: number of its valid pixels.
        coverage: share of salt among its valid pixels.
        predicted: share of predicted salt among its valid pixels.
        dice, iou: 1 if neither ground truth nor prediction has salt, 0 if only one has.
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
        """Share of wrongly predicted pixels among its valid pixels."""
        return (1 - self.dice) * (self.coverage + self.predicted)


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on a tile set.

    Attributes:
        metrics: `dice, iou, dice_per_image, iou_per_image, kaggle_map, soft_dice, precision,
            recall, pixel_accuracy, ece, n_images, threshold`, `min_area` if it is not 0, and
            `ci95`: `{key: [low, high]}` for the first ten, except those whose interval cannot be
            estimated (see `bootstrap.intervals`), as for a single section group.
        by_coverage: one row per class of salt coverage, see `breakdown.by_coverage`.
        sweep: one row per threshold, see `breakdown.sweep`.
        calibration: one row per bin of probability, see `breakdown.calibration`.
        tiles: every scored tile, in the order of the tile set.
        model: description of the model; empty if only probabilities were given.
        data: what it was evaluated on: `name, part, hash, n_images, n_groups, n_unscored` (tiles
            without a valid pixel, which are not scored). Where models were given, also
            `n_training_tiles` (scored tiles that one was trained on; None if unknown) and
            `n_left_out` (tiles of the part that are not scored because one was trained on them).
    """

    metrics: dict[str, Any]
    by_coverage: list[dict[str, Any]]
    sweep: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    tiles: list[TileScore]
    model: dict[str, Any]
    data: dict[str, Any]

    def worst(self, number: int) -> list[str]:
        """Ids of the tiles with the lowest Dice, worst first; more wrong pixels break ties."""
        ranked = sorted(self.tiles, key=lambda tile: (tile.dice, -tile.wrong, tile.id))
        return [tile.id for tile in ranked[:number]]

    def best(self, number: int) -> list[str]:
        """Ids of the tiles with the highest Dice, best first.

        Tiles with salt come before empty ones, whose Dice is 1 if nothing is predicted.
        """
        ranked = sorted(
            self.tiles,
            key=lambda tile: (tile.coverage == 0, -tile.dice, -tile.coverage, tile.id),
        )
        return [tile.id for tile in ranked[:number]]

    def save(self, folder: Path) -> None:
        """Write `evaluation.json` and `tiles.csv` into `folder`, which is created if missing.

        Raises:
            RunError: the disk is full or not writable; earlier files are kept.
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
            raise unwritable(folder, error, RunError) from None

    @classmethod
    def load(cls, folder: Path) -> Evaluation:
        """Read what `save` wrote.

        Raises:
            DataError: a file is missing or unreadable, or the two files do not belong together.
        """
        try:
            content = parse_json((folder / SCORES).read_bytes())
            table = (folder / TILES).read_bytes()
            if content.pop("format") != _FORMAT:
                raise ValueError(f"{SCORES} does not have format {_FORMAT}")
            if content.pop("tiles_sha256") != hashlib.sha256(table).hexdigest():
                raise ValueError(f"{TILES} is not the table that {SCORES} was saved with")
            return TypeAdapter(cls).validate_python({"tiles": _tile_scores(table), **content})
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}"
        except KeyError as error:
            reason = f"{SCORES} has no {error}"
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (ArithmeticError, ValueError, TypeError, AttributeError) as error:
            reason = str(error)
        raise DataError(
            f"the evaluation in {folder} cannot be read: {reason}",
            expected=f"a folder with {SCORES} and {TILES} as written by `diapir evaluate`",
            fix="evaluate again: diapir evaluate MODEL --data PATH --out DIR",
        )


def claim_evaluation(out: Path, models: Sequence[Path], data: Path) -> None:
    """Refuse to write an evaluation over anything but an earlier one.

    Args:
        out: folder to write to.
        models: the models, whose folders and own evaluations are not replaced.
        data: the tile set, which is not replaced.

    Raises:
        RunError: `out` holds something else.
    """
    kept = {data.resolve(): "the tile set"}
    for model in models:
        kept[model.resolve()] = "the model"
        kept[(model / EVALUATION).resolve()] = "the run's own evaluation"
    if out.exists() and out.resolve() in kept:
        raise RunError(
            f"{out} is {kept[out.resolve()]}",
            expected="another folder, so that nothing else is overwritten",
            fix="choose another --out",
        )
    claim(
        out, holds="an evaluation", ours=lambda folder: (folder / SCORES).is_file(), kind=RunError
    )


def _table(tiles: list[TileScore]) -> bytes:
    """`tiles.csv`. Text is quoted and numbers are not, so that an id like `007` stays text."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(field.name for field in fields(TileScore))
    writer.writerows(astuple(tile) for tile in tiles)
    # ids come from file names, which are not always valid Unicode: Python has lone surrogates in
    # their place, any of them on Windows, and strict UTF-8 cannot encode these
    return stream.getvalue().encode(errors="surrogatepass")


def _tile_scores(table: bytes) -> list[TileScore]:
    stream = io.StringIO(table.decode(errors="surrogatepass"), newline="")
    # the reader converts unquoted values to floats
    rows: Iterator[list[Any]] = csv.reader(stream, quoting=csv.QUOTE_NONNUMERIC)
    next(rows)
    return [
        TileScore(tile, group, int(pixels), *map(float, shares))
        for tile, group, pixels, *shares in rows
    ]
