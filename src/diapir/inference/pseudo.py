"""Pseudo-labels: what models are sure of on unlabelled tiles, as a tile set to learn from.

A pixel is labelled where the models' mean probability is far from undecided, else ignored (255); a
tile is taken where they are sure of most of it (share of pixels below 0.2 or above 0.8, as the
winners of the TGS challenge chose: github.com/ybabakhin/kaggle_salt_bes_phalanx).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.config import IGNORE
from diapir.errors import ConfigError, DataError
from diapir.files import sync_folder

if TYPE_CHECKING:
    from diapir.inference.predictor import Marker, Progress
    from diapir.tiles import TileSet

RECORD = "pseudo.json"
LOW, HIGH = 0.2, 0.8
"""Probabilities between these are undecided."""
CONFIDENT = 0.9
"""Least share of decided pixels of a tile."""

_CHUNK = 256
"""Tiles predicted at once, so that memory does not grow with the set."""


@dataclass(frozen=True)
class PseudoLabels:
    """What was written.

    Attributes:
        out: the folder, a tile set of the layout `pairs`.
        tiles: tiles that were labelled.
        unsure: tiles left out because too few of their pixels are decided.
        repeated: tiles left out because their image is that of an earlier one.
        shares: of the labelled tiles' pixels that are `background`, `salt` and `ignored`.
    """

    out: Path
    tiles: int
    unsure: int
    repeated: int
    shares: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As JSON can say it."""
        return asdict(self) | {"out": str(self.out)}


def write_pseudo_labels(
    predictor: Marker,
    tiles: TileSet,
    out: Path,
    *,
    low: float = LOW,
    high: float = HIGH,
    confident: float = CONFIDENT,
    progress: Progress | None = None,
) -> PseudoLabels:
    """Label tiles by what models are sure of; the folder is whole or not there.

    It holds `images/`, `masks/` of {0, 1, 255} and `pseudo.json`: the models and their hashes, the
    tiles' hash, the limits and what came of them.

    Args:
        predictor: the model, or several as one, whose mean probability decides.
        tiles: any tiles; labels they have are not looked at.
        out: a folder that is not there yet, or empty.
        low: up to this probability a pixel is background.
        high: from this probability on a pixel is salt.
        confident: least share of decided pixels of a tile that is taken.
        progress: called with the tiles done and all tiles.

    Raises:
        DataError: `out` holds something, no tile is sure enough, none has salt, tiles the model
            cannot take, or a disk that is full or read-only.
        ConfigError: limits out of range.
    """
    if not 0 <= low < high <= 1 or not 0 <= confident <= 1:
        raise ConfigError(
            f"limits of {low} and {high}, and a share of {confident}",
            expected="0 ≤ --low < --high ≤ 1, and --confident between 0 and 1",
            fix=f"leave them out for {LOW}, {HIGH} and {CONFIDENT}",
        )
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(
            f"{out} is there, and is not empty",
            expected="a new folder, so that nothing is overwritten",
            fix="choose another --out",
        )
    scratch = out.with_name(f".{out.name}.writing")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        for part in ("images", "masks"):
            (scratch / part).mkdir(parents=True)
        counts, made = np.zeros(3, np.int64), dict.fromkeys(("tiles", "unsure", "repeated"), 0)
        for tile, image, mask in _labelled(predictor, tiles, low, high, confident, made, progress):
            for part, pixels in (("images", image), ("masks", mask)):
                path = scratch / part / f"{tile}.png"
                path.parent.mkdir(parents=True, exist_ok=True)  # an id may name folders
                Image.fromarray(pixels).save(path)
            counts += [int((mask == value).sum()) for value in (0, 1, IGNORE)]
        _refuse_useless(counts, made, len(tiles))
        names = ("background", "salt", "ignored")
        shares = dict(zip(names, (counts / counts.sum()).tolist(), strict=True))
        summary = PseudoLabels(out, **made, shares=shares)
        record = {
            "format": 1,
            "models": predictor.describe(),
            "data": {"name": tiles.name, "hash": tiles.hash, "n_images": len(tiles)},
            "low": low,
            "high": high,
            "confident": confident,
            **{key: value for key, value in summary.to_json().items() if key != "out"},
        }
        (scratch / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        if out.exists():
            out.rmdir()
        os.rename(scratch, out)
        sync_folder(out.parent)
    except OSError as error:
        raise DataError(
            f"{error.filename or out} could not be written: {error.strerror or error}",
            expected="a writable folder with enough space",
            fix="free space, or choose another --out",
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return summary


def _refuse_useless(counts: NDArray[np.int64], made: dict[str, int], tiles: int) -> None:
    """Refuse labels without salt, and such as `load_tiles` could not tell from 255 as salt."""
    _, salt, ignored = counts.tolist()
    if not salt:
        raise DataError(
            f"the models are sure of salt in none of {tiles} tiles: {made['tiles']} were labelled "
            f"without any, {made['unsure']} are unsure",
            expected="some tiles with salt, or the set would teach that there is none",
            fix="use models that find salt, or a lower --high or --confident",
        )
    if ignored > salt:
        raise DataError(
            f"of {made['tiles']} labelled tiles {ignored} pixels are undecided and {salt} salt",
            expected="less that is ignored than salt: the labels are mostly doubt otherwise",
            fix="give a higher --confident, or a lower --high",
        )


def _labelled(
    predictor: Marker,
    tiles: TileSet,
    low: float,
    high: float,
    confident: float,
    made: dict[str, int],
    progress: Progress | None,
) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Id, image and mask of each tile that is taken; `made` counts what becomes of all."""
    seen: set[bytes] = set()
    for start in range(0, len(tiles), _CHUNK):
        chunk = range(start, min(start + _CHUNK, len(tiles)))
        images = [tiles.image(index) for index in chunk]
        for index, image, probability in zip(
            chunk, images, predictor.probabilities(images), strict=True
        ):
            content = repr(image.shape).encode() + image.tobytes()
            if content in seen:
                made["repeated"] += 1
                continue
            seen.add(content)
            mask = np.full(image.shape, IGNORE, np.uint8)
            mask[probability <= low] = 0
            mask[probability >= high] = 1
            if (mask != IGNORE).mean() < confident:
                made["unsure"] += 1
                continue
            made["tiles"] += 1
            yield tiles.ids[index], image, mask
        if progress:
            progress(chunk.stop, len(tiles))
