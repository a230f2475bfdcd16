"""The survey: whole sections, tiles cut from them, and the folder they are written to.

DIR/images/*.png   DIR/masks/*.png   grey 8-bit 101 × 101; masks 0 and 255
DIR/groups.csv                       tile id and the section it was cut from
DIR/sections/*.png                   the whole sections; their masks in sections/masks/
DIR/synthetic.json                   format, seed and number of tiles
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.tiles.synthetic.fields import fast_size
from diapir.tiles.synthetic.geology import make_geology
from diapir.tiles.synthetic.imaging import MARGIN, image, to_grey

TILE = 101
"""Height and width of a tile, as TGS cut them."""

_FOLDERS = ("images", "masks", "sections/masks")
_SPREAD = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)
"""Steps of the additive sequence that fills the cube most evenly (Roberts, 2018)."""
_BODIES = (0.07, 0.12, 0.25, 0.55, 0.85)
"""Shares of sections with less than 1, 2, 3, 4 and 5 salt bodies."""
_PERIODS = (10.5, 40.0)
"""Least and greatest vertical period of the wavelet at the top, in pixels."""
_BASELINE, _BASELINE_RANGE = -0.05, 0.75
"""Middle and range of the sections' offsets from mid-grey, as a share of white."""
_PER_SECTION = 16
_FEWEST_SECTIONS = 8
"""Even a small set has several sections, so that a split can keep each of them whole."""
_EMPTY = 0.6
"""Chance that a tile without salt is cut as readily as one with salt; TGS cut near salt."""


@dataclass(frozen=True)
class SyntheticSummary:
    """What was written.

    Attributes:
        path: the tile set's folder.
        tiles: number of tiles.
        sections: number of sections they were cut from.
        seed: the seed that makes the same again.
        empty: number of tiles without salt.
        salt: share of all the tiles' pixels that are salt.
    """

    path: Path
    tiles: int
    sections: int
    seed: int
    empty: int
    salt: float


@dataclass(frozen=True)
class Section:
    """A whole section.

    Attributes:
        name: its name, the group of its tiles.
        grey: `uint8 (samples, traces)`, both multiples of 101.
        salt: `uint8 (samples, traces)` of {0, 1}, from the geometry of the salt bodies.
        kinds: the kind of each salt body; empty without salt.
    """

    name: str
    grey: NDArray[np.uint8]
    salt: NDArray[np.uint8]
    kinds: tuple[str, ...]


def make_section(seed: int, number: int) -> Section:
    """Section `number` (from 0) of the survey with this seed; each depends on these two alone."""
    # what differs most between sections is spread evenly over them, so that few are like many
    start = np.random.default_rng(seed).random(3)
    salty, scale, offset = (start + number * np.array(_SPREAD)) % 1
    bodies = int(np.searchsorted(_BODIES, salty, side="right"))
    period = _PERIODS[0] * (_PERIODS[1] / _PERIODS[0]) ** float(scale)

    rng = np.random.default_rng((seed, number))
    samples = TILE * int(rng.integers(4, 6))
    traces = TILE * int(rng.integers(8, 11))
    shape = fast_size(samples + 2 * MARGIN), fast_size(traces + 2 * MARGIN)
    geology = make_geology(rng, shape, period=period, bodies=bodies)
    amplitude = image(rng, geology, period)
    inner = slice(MARGIN, MARGIN + samples), slice(MARGIN, MARGIN + traces)
    grey = to_grey(
        amplitude[inner],
        headroom=rng.uniform(1.15, 1.8),
        baseline=_BASELINE + _BASELINE_RANGE * (float(offset) - 0.5),
    )
    salt = (geology.salt.cover[inner] > 0.5).astype(np.uint8)
    return Section(f"section-{number:04d}", grey, salt, geology.salt.kinds if salt.any() else ())


def synthesise(
    out: str | Path,
    *,
    tiles: int,
    seed: int,
    make: Callable[[int, int], Section] = make_section,
    progress: Callable[[int, int], None] | None = None,
) -> SyntheticSummary:
    """Make a synthetic survey: labelled sections, cut into tiles.

    The folder appears whole or not at all. The same seed makes the same files; with more tiles,
    the first sections stay the same.

    Args:
        out: the folder to make; it may exist if it is empty.
        tiles: number of tiles of 101 × 101 pixels, at least 1.
        seed: any whole number from 0.
        make: makes a section from the seed and its number.
        progress: called with the tiles done and the tiles asked for.

    Raises:
        DataError: a number out of range, `out` is not empty, or it cannot be written.
    """
    out = Path(out)
    for name, value, least in (("tiles", tiles, 1), ("seed", seed, 0)):
        if value < least:
            raise DataError(
                f"--{name} {value} is too small",
                expected=f"a whole number of at least {least}",
                fix=f"give --{name} {least} or more",
            )
    try:
        _refuse_used(out)
        writing = out.parent / f".{out.name}.writing"
        shutil.rmtree(writing, ignore_errors=True)  # left by a run that was killed
        try:
            for folder in _FOLDERS:
                (writing / folder).mkdir(parents=True)
            summary = _write(writing, out, tiles, seed, make, progress)
            if out.exists():
                out.rmdir()
            os.replace(writing, out)
        except BaseException:
            shutil.rmtree(writing, ignore_errors=True)
            raise
    except OSError as error:
        raise DataError(
            f"{out} cannot be written: {error.strerror or error}",
            expected="a new or an empty folder in a place with room for it",
            fix="give another --out",
        ) from None
    return summary


def _refuse_used(out: Path) -> None:
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise DataError(
            f"{out} exists and is not an empty folder",
            expected="a new or an empty folder, so that nothing is overwritten",
            fix="give another --out, or remove it first",
        )


def _write(
    folder: Path,
    out: Path,
    tiles: int,
    seed: int,
    make: Callable[[int, int], Section],
    progress: Callable[[int, int], None] | None,
) -> SyntheticSummary:
    sections = min(tiles, max(_FEWEST_SECTIONS, -(-tiles // _PER_SECTION)))
    groups: list[tuple[str, str]] = []
    empty = salt = 0
    for number in range(sections):
        section = make(seed, number)
        _save(section.grey, folder / "sections" / f"{section.name}.png")
        _save(section.salt * np.uint8(255), folder / "sections" / "masks" / f"{section.name}.png")
        share = tiles // sections + (number < tiles % sections)
        for row, column in sorted(_cut(section.salt, seed, number)[:share]):
            name = f"{section.name}-r{row}c{column}"
            window = _window(row, column)
            mask = section.salt[window]
            _save(section.grey[window], folder / "images" / f"{name}.png")
            _save(mask * np.uint8(255), folder / "masks" / f"{name}.png")
            groups.append((name, section.name))
            empty += not mask.any()
            salt += int(mask.sum())
        if progress:
            progress(len(groups), tiles)
    with (folder / "groups.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "group"), *groups])
    marker = {"format": 1, "seed": seed, "tiles": tiles, "sections": sections}
    (folder / "synthetic.json").write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    return SyntheticSummary(out, tiles, sections, seed, empty, salt / (tiles * TILE**2))


def _window(row: int, column: int) -> tuple[slice, slice]:
    return slice(row * TILE, (row + 1) * TILE), slice(column * TILE, (column + 1) * TILE)


def _cut(salt: NDArray[np.uint8], seed: int, number: int) -> list[tuple[int, int]]:
    """Row and column of each tile of a section, in the order in which they are to be cut."""
    rng = np.random.default_rng((seed, number, 1))
    places = [(row, column) for row, column in np.ndindex(*(size // TILE for size in salt.shape))]
    # as in TGS: a tile without salt is cut less readily, one of salt alone only if nothing is left
    order: dict[tuple[int, int], int] = {}
    for row, column in rng.permutation(places).tolist():
        mask = salt[_window(row, column)]
        spared = not mask.any() and rng.random() > _EMPTY
        order[row, column] = 2 if mask.all() else int(spared)
    return sorted(order, key=order.__getitem__)


def _save(grey: NDArray[np.uint8], path: Path) -> None:
    Image.fromarray(grey).save(path, compress_level=4)  # as small as 6, in a third of the time
