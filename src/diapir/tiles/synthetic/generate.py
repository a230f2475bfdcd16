"""The synthetic survey: sections, tiles cut from them, and the folder they are written to.

DIR/images/*.png   DIR/masks/*.png   grey 8-bit 101 × 101; masks 0 and 255
DIR/groups.csv                       tile id and the section it was cut from
DIR/sections/*.png                   the sections; their masks in sections/masks/
DIR/mosaic.json                      where each tile lies, as `diapir data mosaic` writes it: the
                                     survey is its own mosaic
DIR/synthetic.json                   format, seed and number of tiles
"""

from __future__ import annotations

import filecmp
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from diapir.errors import DataError
from diapir.files import claim, disk_errors, writing_folder
from diapir.json_text import parse_json
from diapir.locks import lock_beside, locked
from diapir.text import plural
from diapir.tiles.groups import groups_text
from diapir.tiles.synthetic.fields import fast_size
from diapir.tiles.synthetic.geology import make_geology
from diapir.tiles.synthetic.imaging import MARGIN, image, to_grey
from diapir.tiles.synthetic.section_style import PLAIN, SHORTEST, draw_style

MARKER = "synthetic.json"
TILE = 101
"""Height and width of a tile in pixels, as in TGS."""

_FOLDERS = ("images", "masks", "sections/masks")
_SPREAD = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)
"""Steps of the additive sequence that fills the unit cube most evenly (Roberts, 2018)."""
_BODIES = (0.07, 0.12, 0.25, 0.55, 0.85)
"""Shares of sections with less than 1, 2, 3, 4 and 5 salt bodies."""
_PERIODS = (10.5, 40.0)
"""Minimum and maximum vertical period of the wavelet at the top, in pixels."""
_BASELINE, _BASELINE_RANGE = -0.05, 0.75
"""Centre and range of the sections' offsets from mid-grey, as a share of white."""
_PER_SECTION = 16
_FEWEST_SECTIONS = 8
"""Minimum number of sections, so that a split of a small set can keep each in one part."""
_EMPTY = 0.6
"""Probability that a tile without salt has the priority of one with salt; TGS cut near salt."""


@dataclass(frozen=True)
class SyntheticSummary:
    """The result of `synthesise`.

    Attributes:
        path: the tile set's folder.
        tiles: number of tiles.
        sections: number of sections they were cut from.
        seed: the same seed makes the same survey.
        empty: number of tiles without salt.
        salt: share of all the tiles' pixels that are salt.
        kept: whether the same survey was there already and was left as it is.
    """

    path: Path
    tiles: int
    sections: int
    seed: int
    empty: int
    salt: float
    kept: bool = False


@dataclass(frozen=True)
class SyntheticSection:
    """One synthetic section.

    Attributes:
        name: its name, and the section group of its tiles.
        grey: `uint8 (samples, traces)`, both multiples of 101.
        salt: `uint8 (samples, traces)` of {0, 1}, from the geometry of the salt bodies.
        kinds: the kind of each salt body; empty without salt.
    """

    name: str
    grey: NDArray[np.uint8]
    salt: NDArray[np.uint8]
    kinds: tuple[str, ...]


SectionMaker = Callable[[int, int], SyntheticSection]
"""Makes a section from the survey's seed and the section's number, from 0."""


def make_section(seed: int, number: int, *, varied: bool = False) -> SyntheticSection:
    """Section `number` (from 0) of the survey with this seed; it depends on nothing else.

    Args:
        seed: of the survey.
        number: of the section.
        varied: whether each section has a style of its own.
    """
    # the main differences are spread evenly over the sections, so that a few represent many
    start = np.random.default_rng(seed).random(3)
    salty, scale, offset = (start + number * np.array(_SPREAD)) % 1
    bodies = int(np.searchsorted(_BODIES, salty, side="right"))
    period = _PERIODS[0] * (_PERIODS[1] / _PERIODS[0]) ** float(scale)

    rng = np.random.default_rng((seed, number))
    style = draw_style(rng) if varied else PLAIN
    period = max(period * style.period, SHORTEST)
    samples = TILE * int(rng.integers(4, 6))
    traces = TILE * int(rng.integers(8, 11))
    shape = fast_size(samples + 2 * MARGIN), fast_size(traces + 2 * MARGIN)
    geology = make_geology(rng, shape, period=period, bodies=bodies, style=style)
    amplitude = image(rng, geology, period, style)
    inner = slice(MARGIN, MARGIN + samples), slice(MARGIN, MARGIN + traces)
    grey = to_grey(
        amplitude[inner],
        headroom=rng.uniform(1.15, 1.8),
        baseline=_BASELINE + _BASELINE_RANGE * (float(offset) - 0.5),
    )
    salt = (geology.salt.cover[inner] > 0.5).astype(np.uint8)
    return SyntheticSection(
        f"section-{number:04d}", grey, salt, geology.salt.kinds if salt.any() else ()
    )


def synthesise(
    out: str | Path,
    *,
    tiles: int,
    seed: int,
    make: SectionMaker = make_section,
    progress: Callable[[int, int], None] | None = None,
) -> SyntheticSummary:
    """Make a synthetic survey: labelled sections, cut into tiles.

    The folder is written completely or not at all. The same seed makes the same files; with more
    tiles, the first sections stay the same. A survey that is there already is made once more and
    compared, and stays as it is.

    Args:
        out: the folder to make; it may exist if it is empty, or holds the same survey.
        tiles: number of tiles of 101 × 101 pixels, at least 1.
        seed: any whole number from 0.
        make: makes a section.
        progress: called with the number of tiles done and of all tiles.

    Raises:
        DataError: a number out of range, `out` holds anything else, or it cannot be written.
    """
    out = Path(out)
    for name, value, least in (("tiles", tiles, 1), ("seed", seed, 0)):
        if value < least:
            raise DataError(
                f"--{name} {value} is too small",
                expected=f"a whole number of at least {least}",
                fix=f"give --{name} {least} or more",
            )
    with disk_errors(out):
        if (out / MARKER).is_file():
            with locked(lock_beside(out), out), tempfile.TemporaryDirectory() as again:
                return _confirm(out, Path(again), tiles, seed, make, progress)
        claim(out)
        with writing_folder(out) as scratch:
            return _write(scratch, out, tiles, seed, make, progress)


def _confirm(
    out: Path,
    again: Path,
    tiles: int,
    seed: int,
    make: SectionMaker,
    progress: Callable[[int, int], None] | None,
) -> SyntheticSummary:
    """Make a survey again, to tell whether `out` holds it.

    Raises:
        DataError: it holds another one, or was changed.
    """
    try:
        marker = parse_json((out / MARKER).read_bytes())
        made = f"seed {marker['seed']} and {plural(marker['tiles'], 'tile')}"
        alike = (marker["seed"], marker["tiles"]) == (seed, tiles)
    except (ValueError, KeyError, TypeError):
        made, alike = f"an unreadable {MARKER}", False
    if not alike:
        raise _another(out, f"with {made}")
    summary = _write(again, out, tiles, seed, make, progress)
    for path in sorted(path for path in again.rglob("*") if path.is_file()):
        name = path.relative_to(again)
        if not (out / name).is_file() or not filecmp.cmp(path, out / name, shallow=False):
            raise _another(out, f"whose {name.as_posix()} differs")
    return replace(summary, kept=True)


def _another(out: Path, how: str) -> DataError:
    return DataError(
        f"{out} holds a synthetic survey {how}",
        expected="a new or empty folder, or the survey that these options make",
        fix="choose another --out",
    )


def _write(
    folder: Path,
    out: Path,
    tiles: int,
    seed: int,
    make: SectionMaker,
    progress: Callable[[int, int], None] | None,
) -> SyntheticSummary:
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    sections = min(tiles, max(_FEWEST_SECTIONS, -(-tiles // _PER_SECTION)))
    groups: dict[str, str] = {}
    layout: list[dict[str, Any]] = []
    empty = salt = 0
    for number in range(sections):
        section = make(seed, number)
        _save(section.grey, folder / "sections" / f"{section.name}.png")
        _save(section.salt * np.uint8(255), folder / "sections" / "masks" / f"{section.name}.png")
        places = list(np.ndindex(*(size // TILE for size in section.salt.shape)))
        cells = [
            {"id": _tile_name(section, row, column), "row": row, "column": column}
            for row, column in places  # also those that no tile is cut from
        ]
        layout.append({"name": section.name, "group": section.name, "tiles": cells})
        share = tiles // sections + (number < tiles % sections)
        for row, column in sorted(_cut(section.salt, seed, number)[:share]):
            name = _tile_name(section, row, column)
            window = _window(row, column)
            mask = section.salt[window]
            _save(section.grey[window], folder / "images" / f"{name}.png")
            _save(mask * np.uint8(255), folder / "masks" / f"{name}.png")
            groups[name] = section.name
            empty += not mask.any()
            salt += int(mask.sum())
        if progress:
            progress(len(groups), tiles)
    (folder / "groups.csv").write_text(groups_text(groups), encoding="utf-8", newline="")
    placed = json.dumps({"format": 1, "sections": layout}) + "\n"
    (folder / "mosaic.json").write_text(placed, encoding="utf-8")
    marker = {"format": 1, "seed": seed, "tiles": tiles, "sections": sections}
    (folder / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
    return SyntheticSummary(out, tiles, sections, seed, empty, salt / (tiles * TILE**2))


def _tile_name(section: SyntheticSection, row: int, column: int) -> str:
    return f"{section.name}-r{row}c{column}"


def _window(row: int, column: int) -> tuple[slice, slice]:
    return slice(row * TILE, (row + 1) * TILE), slice(column * TILE, (column + 1) * TILE)


def _cut(salt: NDArray[np.uint8], seed: int, number: int) -> list[tuple[int, int]]:
    """Row and column of each tile of a section, in the order in which they are cut."""
    rng = np.random.default_rng((seed, number, 1))
    places = [(row, column) for row, column in np.ndindex(*(size // TILE for size in salt.shape))]
    # as in TGS, tiles without salt have a lower priority, and tiles of salt alone the lowest
    order: dict[tuple[int, int], int] = {}
    for row, column in rng.permutation(places).tolist():
        mask = salt[_window(row, column)]
        spared = not mask.any() and rng.random() > _EMPTY
        order[row, column] = 2 if mask.all() else int(spared)
    return sorted(order, key=order.__getitem__)


def _save(grey: NDArray[np.uint8], path: Path) -> None:
    Image.fromarray(grey).save(path, compress_level=4)  # as small as 6, in a third of the time
