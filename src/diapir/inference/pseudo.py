"""Pseudo-labels: confident predictions on unlabelled tiles, written as a tile set to train on.

A pixel is labelled where the models' mean probability is confident, else ignored (255). A tile is
used where most of its pixels are confident (share of pixels below 0.2 or above 0.8, as the winners
of the TGS challenge chose: github.com/ybabakhin/kaggle_salt_bes_phalanx).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.config import IGNORE
from diapir.errors import ConfigError, DataError
from diapir.files import claim, disk_errors, writing_folder
from diapir.json_text import parse_json
from diapir.locks import lock_beside, locked
from diapir.progress import Progress
from diapir.text import plural

if TYPE_CHECKING:
    from diapir.inference.predictor import Segmenter
    from diapir.tiles import TileSet

RECORD = "pseudo.json"
LOW, HIGH = 0.2, 0.8
"""Probabilities between these are not confident."""
CONFIDENT = 0.9
"""Minimum share of confident pixels in a tile."""

_CHUNK = 256
"""Tiles predicted at once, so that memory does not grow with the set."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Which pixels and tiles are labelled.

    Attributes:
        low: pixels of at most this probability are background.
        high: pixels of at least this probability are salt.
        confident: minimum share of confident pixels in a tile.

    Raises:
        ConfigError: limits out of range.
    """

    low: float = LOW
    high: float = HIGH
    confident: float = CONFIDENT

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 1 or not 0 <= self.confident <= 1:
            raise ConfigError(
                f"limits of {self.low} and {self.high}, and a share of {self.confident}",
                expected="0 ≤ --low < --high ≤ 1, and --confident between 0 and 1",
                fix=f"leave them out for {LOW}, {HIGH} and {CONFIDENT}",
            )


@dataclass(frozen=True)
class PseudoLabels:
    """The tile set that was written.

    Attributes:
        out: the folder, a tile set of the layout `pairs`.
        tiles: tiles that were labelled.
        unsure: tiles left out because too few of their pixels are confident.
        repeated: tiles left out because their image is that of an earlier one.
        shares: shares of `background`, `salt` and `ignored` in the labelled tiles' pixels.
        kept: whether the same were there already and were left as they are.
    """

    out: Path
    tiles: int
    unsure: int
    repeated: int
    shares: dict[str, float]
    kept: bool = False

    def to_json(self) -> dict[str, Any]:
        """The content as JSON values."""
        return asdict(self) | {"out": str(self.out)}


Verdict = Literal["tiles", "unsure", "repeated"]


class Labelled(NamedTuple):
    """A tile and its pseudo-labels.

    Attributes:
        tile: its id.
        image: `uint8 (H, W)`.
        mask: `uint8 (H, W)` of {0, 1, 255}; None where the tile is left out.
        verdict: how the tile is counted in `PseudoLabels`.
    """

    tile: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    verdict: Verdict


def write_pseudo_labels(
    predictor: Segmenter,
    tiles: TileSet,
    out: Path,
    *,
    low: float = LOW,
    high: float = HIGH,
    confident: float = CONFIDENT,
    progress: Progress | None = None,
) -> PseudoLabels:
    """Label tiles where models are confident; the folder is written whole or not at all.

    It holds `images/`, `masks/` of {0, 1, 255} and `pseudo.json`: the models and their hashes, the
    tiles' hash, the limits and the counts.

    Args:
        predictor: the model, or the mean of several.
        tiles: any tiles; their labels are not used.
        out: a new or empty folder, or one with these pseudo-labels, which is left as it is.
        low: pixels of at most this probability are background.
        high: pixels of at least this probability are salt.
        confident: minimum share of confident pixels in a labelled tile.
        progress: called with the tiles done and all tiles.

    Raises:
        DataError: `out` holds anything else, no tile is confident enough, none has salt, tiles the
            model cannot take, or a disk that is full or read-only.
        ConfigError: limits out of range.
    """
    limits = Limits(low=low, high=high, confident=confident)
    asked = {
        "format": 1,
        "models": predictor.describe(),
        "data": {"name": tiles.name, "hash": tiles.hash, "n_images": len(tiles)},
        **asdict(limits),
    }
    found = earlier(out, asked, ("tiles", "unsure", "repeated", "shares"))
    if found is not None:
        return PseudoLabels(out, **found, kept=True)
    claim(out)
    counts, pixels = Counter[Verdict](), np.zeros(3, np.int64)
    with disk_errors(out), writing_folder(out) as scratch:
        for labelled in _labelled(predictor, tiles, limits, progress):
            counts[labelled.verdict] += 1
            if labelled.mask is not None:
                _write(scratch, labelled.tile, labelled.image, labelled.mask)
                pixels += [int((labelled.mask == value).sum()) for value in (0, 1, IGNORE)]
        _refuse_useless(pixels, counts, len(tiles))
        summary = _summary(out, counts, pixels)
        write_record(scratch, asked, summary.to_json())
    return summary


def write_record(folder: Path, asked: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Record in a folder what was asked for, and what was made."""
    counts = {key: value for key, value in made.items() if key not in {"out", "kept"}}
    text = json.dumps({**asked, **counts}, indent=2) + "\n"
    (folder / RECORD).write_text(text, encoding="utf-8")


def earlier(out: Path, asked: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any] | None:
    """What is recorded of the pseudo-labels in a folder, if the same were asked for.

    A lock file that a killed process left is removed.

    Args:
        out: the folder, which may not exist.
        asked: what decides the labels, as JSON values.
        names: of the values to return.

    Raises:
        DataError: another process is writing the folder.
    """
    try:
        held = parse_json((out / RECORD).read_bytes())
        same = all(held[key] == value for key, value in json.loads(json.dumps(asked)).items())
        found = {name: held[name] for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    if lock_beside(out).exists():
        with disk_errors(out), locked(lock_beside(out), out):
            pass
    return found


def _labelled(
    predictor: Segmenter, tiles: TileSet, limits: Limits, progress: Progress | None
) -> Iterator[Labelled]:
    """Every tile with its pseudo-labels, or with the reason why it has none."""
    seen: set[bytes] = set()
    for start in range(0, len(tiles), _CHUNK):
        chunk = range(start, min(start + _CHUNK, len(tiles)))
        images = [tiles.image(index) for index in chunk]
        for index, image, probability in zip(
            chunk, images, predictor.probabilities(images), strict=True
        ):
            content = repr(image.shape).encode() + image.tobytes()
            mask, verdict = None, _verdict(probability, limits, repeated=content in seen)
            seen.add(content)
            if verdict == "tiles":
                mask = np.full(image.shape, IGNORE, np.uint8)
                mask[probability <= limits.low] = 0
                mask[probability >= limits.high] = 1
            yield Labelled(tiles.ids[index], image, mask, verdict)
        if progress:
            progress(chunk.stop, len(tiles))


def _verdict(probability: NDArray[np.float32], limits: Limits, *, repeated: bool) -> Verdict:
    if repeated:
        return "repeated"
    confident = (probability <= limits.low) | (probability >= limits.high)
    return "tiles" if confident.mean() >= limits.confident else "unsure"


def _write(folder: Path, tile: str, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    for part, pixels in (("images", image), ("masks", mask)):
        path = folder / part / f"{tile}.png"
        path.parent.mkdir(parents=True, exist_ok=True)  # an id may contain folders
        Image.fromarray(pixels).save(path)


def _refuse_useless(pixels: NDArray[np.int64], counts: Counter[Verdict], tiles: int) -> None:
    """Refuse labels without salt, and labels whose 255 `load_tiles` would take for salt."""
    _, salt, ignored = pixels.tolist()
    if not salt:
        raise DataError(
            f"no high-confidence salt in {plural(tiles, 'tile')}: {counts['tiles']} were labelled "
            f"as background only, {counts['unsure']} are low-confidence",
            expected="some tiles with salt; without them, training would learn that there is none",
            fix="use models that predict salt, or a lower --high or --confident",
        )
    if ignored > salt:
        raise DataError(
            f"{plural(counts['tiles'], 'labelled tile')}: {ignored} ignored and {salt} salt pixels",
            expected="fewer ignored pixels than salt pixels",
            fix="give a higher --confident, or a lower --high",
        )


def _summary(out: Path, counts: Counter[Verdict], pixels: NDArray[np.int64]) -> PseudoLabels:
    names = ("background", "salt", "ignored")
    shares = dict(zip(names, (pixels / pixels.sum()).tolist(), strict=True))
    return PseudoLabels(out, counts["tiles"], counts["unsure"], counts["repeated"], shares)
