"""Pseudo-labels of the unlabelled tiles of a mosaic, written as a mosaic to train on.

Every model predicts in the way it was trained: one trained on tiles gets each tile alone, one
trained on windows of sections gets whole sections. Their mean decides, as for tiles alone.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.config import IGNORE
from diapir.errors import DataError
from diapir.files import claim, disk_errors, writing_folder
from diapir.inference.ensemble import Ensemble
from diapir.inference.predictor import Segmenter
from diapir.inference.pseudo import Limits, earlier, write_record
from diapir.progress import Progress
from diapir.text import plural
from diapir.tiles import TileSet
from diapir.tiles.mosaic.mosaic_files import GROUPS, MARKER, MosaicSection, read_mosaic
from diapir.tiles.mosaic.pseudo_files import PSEUDO, pseudo_path

_COPIED = (MARKER, GROUPS, "sections")


@dataclass(frozen=True)
class PseudoSections:
    """The mosaic that was written.

    Attributes:
        out: the folder, a mosaic with pseudo-labels.
        sections: its sections.
        tiles: unlabelled tiles that got pseudo-labels.
        unsure: unlabelled tiles without, because too few of their pixels are confident.
        labelled: tiles that have labels, and therefore no pseudo-labels.
        shares: shares of `background`, `salt` and `ignored` in the pixels of unlabelled tiles.
        kept: whether the same were there already and were left as they are.
    """

    out: Path
    sections: int
    tiles: int
    unsure: int
    labelled: int
    shares: dict[str, float]
    kept: bool = False

    def to_json(self) -> dict[str, Any]:
        """The content as JSON values."""
        return asdict(self) | {"out": str(self.out)}


class _Guess(NamedTuple):
    """Probabilities of a tile of a section; `place` is where it lies in the section's image."""

    place: tuple[slice, slice]
    probability: NDArray[np.float32]


def on_sections(model: Segmenter) -> bool:
    """Whether a model was trained on windows of sections, as its bundle says."""
    return any(
        "windows" in training for bundle in model.bundles for training in bundle.info.trainings
    )


def write_pseudo_sections(
    predictor: Segmenter,
    tiles: TileSet,
    mosaic: Path,
    out: Path,
    *,
    limits: Limits,
    progress: Progress | None = None,
) -> PseudoSections:
    """Label the unlabelled tiles of a mosaic; the folder is written whole or not at all.

    It is a copy of the mosaic, without its report, with `sections/pseudo/NAME.png` of {0, 1, 255}
    and `pseudo.json`: the models, their hashes and what each was given, the tiles' hash, the limits
    and the counts. Tiles with labels are 255 there; gaps between tiles are 0.

    Args:
        predictor: the model, or several.
        tiles: the labelled tiles that the mosaic was made from.
        mosaic: a folder of `diapir data mosaic`.
        out: a new or empty folder, or one with these pseudo-labels, which is left as it is.
        limits: which pixels are labelled, and how many of a tile have to be for any to be.
        progress: called with the sections done and all sections.

    Raises:
        DataError: the mosaic cannot be read or is of other tiles, has no unlabelled tile, `out`
            holds anything else or cannot be written, tiles the model cannot take, or no confident
            salt.
    """
    models: Sequence[Segmenter] = (
        predictor.members if isinstance(predictor, Ensemble) else [predictor]
    )
    rows = {tile: row for row, tile in enumerate(tiles.ids)}
    sections = read_mosaic(mosaic)
    placed = sum(len(section.tiles) for section in sections)
    labelled = sum(tile.id in rows for section in sections for tile in section.tiles)
    _refuse_all_or_none(mosaic, tiles, placed, labelled)
    asked = {
        "format": 1,
        "models": predictor.describe(),
        "predicted": ["sections" if on_sections(model) else "tiles" for model in models],
        "data": {"name": tiles.name, "hash": tiles.hash, "n_images": len(tiles)},
        "mosaic": mosaic.name,
        **asdict(limits),
    }
    names = ("sections", "tiles", "unsure", "labelled", "shares")
    held = earlier(out, asked, names) if _is_copy(mosaic, out) else None
    if held is not None:
        return PseudoSections(out, **held, kept=True)
    claim(out)
    counts, pixels = [0, 0], np.zeros(3, np.int64)
    with disk_errors(out), writing_folder(out) as scratch:
        _copy(mosaic, scratch)
        for number, section in enumerate(sections):
            mask = np.zeros(section.image().shape, np.uint8)
            for guess in _guesses(models, section, tiles, rows, mask):
                found = _decided(guess.probability, limits)
                counts[not (found != IGNORE).any()] += 1
                pixels += [int((found == value).sum()) for value in (0, 1, IGNORE)]
                mask[guess.place] = found
            Image.fromarray(mask).save(pseudo_path(scratch, section.name))
            if progress:
                progress(number + 1, len(sections))
        if not pixels[1]:
            raise DataError(
                f"no high-confidence salt in {plural(placed - labelled, 'unlabelled tile')} of "
                f"{mosaic}",
                expected="some salt; without it, training would learn that there is none",
                fix="use models that predict salt, or a lower --high or --confident",
            )
        shares = dict(
            zip(("background", "salt", "ignored"), (pixels / pixels.sum()).tolist(), strict=True)
        )
        made = PseudoSections(out, len(sections), counts[0], counts[1], labelled, shares)
        write_record(scratch, asked, made.to_json())
    return made


def _refuse_all_or_none(mosaic: Path, tiles: TileSet, placed: int, labelled: int) -> None:
    if labelled in (0, placed):
        found = "none" if not labelled else "all"
        raise DataError(
            f"{found} of the {plural(placed, 'tile')} in {mosaic} are labelled in {tiles.name}",
            expected="a mosaic of these tiles, some of them without labels"
            if labelled
            else "a mosaic of these tiles",
            fix=f"diapir data mosaic {tiles.path} --out FOLDER, from the whole of Kaggle's zip",
        )


def _copy(mosaic: Path, out: Path) -> None:
    """Copy what training reads; pseudo-labels of an earlier round are left out."""
    for name in _COPIED:
        source = mosaic / name
        if source.is_dir():
            shutil.copytree(source, out / name, ignore=shutil.ignore_patterns(PSEUDO.name))
        else:
            shutil.copy(source, out / name)
    (out / PSEUDO).mkdir()


def _is_copy(mosaic: Path, out: Path) -> bool:
    """Whether a folder holds what `_copy` would copy."""
    if mosaic.resolve() == out.resolve():
        return False
    files = (
        path.relative_to(mosaic)
        for name in _COPIED
        for path in (mosaic / name, *(mosaic / name).rglob("*"))
        if path.is_file() and PSEUDO.name not in path.relative_to(mosaic).parts
    )
    return all(
        (out / name).is_file() and filecmp.cmp(mosaic / name, out / name, shallow=False)
        for name in files
    )


def _guesses(
    models: Sequence[Segmenter],
    section: MosaicSection,
    tiles: TileSet,
    rows: dict[str, int],
    mask: NDArray[np.uint8],
) -> Iterator[_Guess]:
    """Mean probabilities of a section's unlabelled tiles; `mask` gets 255 where tiles have labels.

    Raises:
        DataError: a labelled tile differs from the section.
    """
    image = section.image()
    places = []
    for tile in section.tiles:
        place = section.place(tile, image)
        if tile.id in rows:
            section.require_same(tile, image, tiles, rows[tile.id])
            mask[place] = IGNORE
        else:
            places.append(place)
    if not places:
        return
    totals = [np.zeros(image[place].shape, np.float32) for place in places]
    for model in models:
        if on_sections(model):
            whole = model.probabilities([image])[0]
            parts = [whole[place] for place in places]
        else:
            parts = model.probabilities([image[place] for place in places])
        for total, part in zip(totals, parts, strict=True):
            total += part / np.float32(len(models))
    yield from map(_Guess, places, totals)


def _decided(probability: NDArray[np.float32], limits: Limits) -> NDArray[np.uint8]:
    """Pseudo-labels of a tile, `uint8` of {0, 1, 255}."""
    found = np.full(probability.shape, IGNORE, np.uint8)
    found[probability <= limits.low] = 0
    found[probability >= limits.high] = 1
    if (found != IGNORE).mean() < limits.confident:
        found[:] = IGNORE
    return found
