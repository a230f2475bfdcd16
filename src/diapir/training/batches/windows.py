"""Windows at random positions of whole sections, which are trained on in addition to tiles.

A network trained only on whole tiles learns where tiles end. Windows cross the edges between tiles
and show unlabelled neighbours as context (255 in the mask). Sections come from `diapir data mosaic`
(reassembled tiles), which `diapir data pseudo --mosaic` may have given pseudo-labels, and from
`diapir data synth` (labelled everywhere).

The windows of an epoch are numbered after its tiles and shuffled with them. The content of a window
depends on the run's seed, the step and its number alone, so neither resuming nor the number of
processes changes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diapir.config import IGNORE, DataConfig
from diapir.errors import DataError
from diapir.text import integer, plural
from diapir.tiles import TileSet, read_image
from diapir.training.batches.tile_batches import Indices, consecutive_batches

_TRIES = 12
"""Most positions that are drawn to find a window with enough labels; the best is taken."""

PSEUDO = Path("sections", "pseudo")
"""Folder of a mosaic with the pseudo-labels of its sections: PNG of {0, 1, 255}."""

_LEAST_PSEUDO = 0.5
"""Windows are drawn around a tile if at least this share of it has pseudo-labels."""

Matrix = NDArray[np.float64]
Cells = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelledSection:
    """A section that is labelled in part or everywhere.

    Attributes:
        image: `uint8 (samples, traces)`, grey.
        mask: `uint8 (samples, traces)` of {0, 1, 255}.
        cells: `(n, 4)`: top, left, bottom and right of the labelled rectangles, in pixels; they
            do not overlap.
        pseudo: `(m, 4)`: the rectangles with pseudo-labels; they overlap neither each other nor
            `cells`.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    cells: Cells
    pseudo: Cells = field(default_factory=lambda: np.empty((0, 4), np.int64))

    @cached_property
    def _all_cells(self) -> Cells:
        return np.concatenate([self.cells, self.pseudo])

    def labelled(self, box: NDArray[np.float64]) -> float:
        """Share of a box (top, left, bottom, right in pixels) that is labelled, in [0, 1]."""
        cells = self._all_cells
        ends = np.minimum(cells[:, 2:], box[2:])
        sides = (ends - np.maximum(cells[:, :2], box[:2])).clip(min=0)
        area = float(np.prod(box[2:] - box[:2]))
        return float(sides.prod(axis=1).sum()) / max(area, 1e-9)


@dataclass(frozen=True, eq=False)
class SectionSet:
    """Sections that windows are cut from.

    Attributes:
        name: the name of the folder, for messages.
        sections: those with at least one labelled rectangle.
    """

    name: str
    sections: tuple[LabelledSection, ...]

    @cached_property
    def _anchors(self) -> list[list[tuple[LabelledSection, NDArray[np.int64]]]]:
        """Labelled rectangles with their sections, and those with pseudo-labels apart, if any."""
        labelled = [(section, cell) for section in self.sections for cell in section.cells]
        pseudo = [(section, cell) for section in self.sections for cell in section.pseudo]
        return [each for each in (labelled, pseudo) if each]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over images and masks."""
        digest = hashlib.sha256()
        for section in self.sections:
            digest.update(repr(section.image.shape).encode())
            digest.update(section.image.tobytes() + section.mask.tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        """Number and origin of the sections."""
        return f"{plural(len(self.sections), 'section')} of {self.name}"

    def window(
        self, size: int, matrix: Matrix, labelled: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Cut a window.

        Args:
            size: height and width of the window in pixels.
            matrix: `(2, 2)`: maps a pixel's (x, y) from the centre to where it is sampled, as
                `Augmentation.matrix`.
            labelled: share of the window that should be labelled, in [0, 1].
            rng: draws the position.

        Returns:
            Image and mask, `uint8 (size, size)`. Where a window reaches beyond its section, the
            image is reflected and the mask is 255.
        """
        # windows around labels are as frequent as those around pseudo-labels, which are many more
        anchors = self._anchors[int(rng.integers(len(self._anchors)))]
        section, cell = anchors[int(rng.integers(len(anchors)))]
        # half of the window's height and width in the section
        reach = (np.abs(matrix) @ np.full(2, size / 2))[::-1]
        best, share = np.zeros(2), -1.0
        for _ in range(_TRIES):
            centre = _position(section, cell, reach, size, rng)
            found = section.labelled(np.concatenate([centre - reach, centre + reach]))
            if found > share:
                best, share = centre, found
            if share >= labelled:
                break
        return cut_window(section, best, matrix, size)


def _position(
    section: LabelledSection,
    cell: NDArray[np.int64],
    reach: NDArray[np.float64],
    size: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Centre (row, column) of a window that overlaps a cell and, if it fits, lies in the section.

    Windows start at whole pixels, so that those that are not scaled are not blurred.
    """
    sides = np.array(section.image.shape, np.float64)
    drawn = rng.uniform(cell[:2] - reach, cell[2:] + reach)
    # a window larger than its section holds all of it
    least, most = np.minimum(reach, sides - reach), np.maximum(reach, sides - reach)
    centre = drawn.clip(least, most)
    half = size / 2
    placed: NDArray[np.float64] = np.rint(centre - half) + half
    return placed


def cut_window(
    section: LabelledSection, centre: NDArray[np.float64], matrix: Matrix, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The window (image, mask) around a centre (row, column); arguments as `SectionSet.window`."""
    start = np.rint(centre - size / 2).astype(int)
    end = start + size
    inside = (start >= 0).all() and (end <= section.image.shape).all()
    if inside and np.array_equal(matrix, np.eye(2)):
        place = slice(start[0], end[0]), slice(start[1], end[1])
        return section.image[place], section.mask[place]
    # offsets (x, y) of the pixels from the window's centre
    line = np.arange(size) - (size - 1) / 2
    offsets = np.stack(np.meshgrid(line, line), axis=-1)
    source = offsets @ matrix.T + (centre[::-1] - 0.5)
    low = np.floor(source.min(axis=(0, 1))).astype(int) - 1
    high = np.ceil(source.max(axis=(0, 1))).astype(int) + 2
    bottom, right = section.image.shape
    low, high = low.clip(0), np.minimum(high, [right, bottom])
    place = slice(low[1], high[1]), slice(low[0], high[0])
    image = torch.from_numpy(section.image[place].astype(np.float32))[None, None]
    sides = np.maximum(high - low - 1, 1)
    grid = torch.from_numpy(((source - low) / (sides / 2) - 1).astype(np.float32))[None]
    seen = functional.grid_sample(
        unaliased(image, matrix), grid, padding_mode="reflection", align_corners=True
    )[0, 0].numpy()
    column, row = np.rint(source).astype(int).transpose(2, 0, 1)
    outside = (column < 0) | (column >= right) | (row < 0) | (row >= bottom)
    kept = section.mask[row.clip(0, bottom - 1), column.clip(0, right - 1)]
    kept[outside] = IGNORE
    return np.rint(seen).clip(0, 255).astype(np.uint8), kept


def unaliased(image: Tensor, matrix: Matrix) -> Tensor:
    """Average images `(N, 1, H, W)` over the pixels of one sampling step, against aliasing."""
    across, down = np.maximum(np.rint(np.hypot(*matrix.T)), 1).astype(int).tolist()
    height, width = image.shape[2:]
    down, across = min(down, height), min(across, width)
    if down == across == 1:
        return image
    before, behind = ((down - 1) // 2, (across - 1) // 2), (down // 2, across // 2)
    padded = functional.pad(image, (before[1], behind[1], before[0], behind[0]), mode="replicate")
    return functional.avg_pool2d(padded, (down, across), stride=1)


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of a run.

    Attributes:
        sets: the sections that windows are cut from, and the number of windows in an epoch.
        sizes: heights and widths in pixels; each step draws one of them.
        canvas: side that tiles are padded to; larger windows are in batches without tiles.
        labelled: share of a window that should be labelled, in [0, 1].
    """

    sets: tuple[tuple[SectionSet, int], ...]
    sizes: tuple[int, ...]
    canvas: int
    labelled: float

    @property
    def count(self) -> int:
        """Number of windows in an epoch."""
        return sum(count for _, count in self.sets)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all sections."""
        return hashlib.sha256("".join(each.hash for each, _ in self.sets).encode()).hexdigest()

    @property
    def names(self) -> str:
        """The sections that windows are cut from, in words."""
        return " and ".join(each.describe() for each, _ in self.sets)

    def describe(self) -> str:
        """One line for the log."""
        parts = [f"{integer(count)} per epoch from {each.describe()}" for each, count in self.sets]
        return f"Windows: {', '.join(parts)}; {', '.join(map(str, self.sizes))} pixels per side"

    def size(self, seed: Sequence[int], *, alone: bool) -> int:
        """Side of the windows of a step.

        Args:
            seed: the numbers that the draw depends on.
            alone: whether the step has no tiles.
        """
        large = [size for size in self.sizes if size > self.canvas]
        sizes = large if alone else [size for size in self.sizes if size <= self.canvas]
        sizes = sizes or list(self.sizes)
        return sizes[int(np.random.default_rng([*seed, 2]).integers(len(sizes)))]

    def epoch_batches(
        self, tiles: int, batch: int, *, seed: int, epoch: int, processes: int
    ) -> list[Indices]:
        """The shuffled batches of an epoch: tiles with windows, and large windows apart.

        Windows are numbered from `tiles` on. The rest is as for `tile_batches.epoch_batches`.
        """
        rng = np.random.default_rng([seed, epoch, 1])
        windows = tiles + rng.permutation(self.count)
        large = sum(size > self.canvas for size in self.sizes) / len(self.sizes)
        apart = round(large * self.count)
        mixed = rng.permutation(np.concatenate([np.arange(tiles), windows[apart:]]))
        batches = consecutive_batches(mixed, batch) + consecutive_batches(windows[:apart], batch)
        chosen = [batches[number] for number in rng.permutation(len(batches))]
        return [indices for indices in chosen if len(indices) >= processes]

    def cut(
        self, numbers: Sequence[int], size: int, matrices: Matrix, seed: Sequence[int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Cut windows.

        Args:
            numbers: numbers of the windows in the epoch, from 0.
            size: height and width in pixels.
            matrices: `(n, 2, 2)`: scale and rotation of each, as `Augmentation.matrix`.
            seed: the numbers that the positions depend on.

        Returns:
            Images and masks, `uint8 (n, size, size)`.
        """
        images = np.empty((len(numbers), size, size), np.uint8)
        masks = np.empty_like(images)
        for row, number in enumerate(numbers):
            rng = np.random.default_rng([*seed, 3, number])
            chosen = self._set_of(number)
            images[row], masks[row] = chosen.window(size, matrices[row], self.labelled, rng)
        return images, masks

    def _set_of(self, number: int) -> SectionSet:
        for each, count in self.sets:
            if number < count:
                return each
            number -= count
        raise IndexError(number)


def open_windows(config: DataConfig, train: TileSet, canvas: int) -> Windows | None:
    """The windows of a recipe; None for a recipe without windows.

    Of a mosaic the labels of `train` and the pseudo-labels are used; other tiles are context.

    Args:
        config: the sections, and the number and sizes of windows.
        train: the training tiles.
        canvas: side that tiles are padded to.

    Raises:
        DataError: a folder cannot be used, or no section holds a training tile.
    """
    shares: list[tuple[SectionSet, float]] = []
    if config.mosaic is not None and config.mosaic_share:
        shares.append((_mosaic(Path(config.mosaic), train), config.mosaic_share))
    if config.synthetic and config.synthetic_share:
        shares.append((_synthetic([*map(Path, config.synthetic)]), config.synthetic_share))
    if not shares:
        return None
    rest = 1 - sum(share for _, share in shares)
    sets = tuple((each, max(1, round(len(train) * share / rest))) for each, share in shares)
    sizes = config.window_sizes or (int(train.shapes.max()),)
    return Windows(sets, sizes, canvas, config.window_labelled)


def _mosaic(folder: Path, train: TileSet) -> SectionSet:
    """The sections of a mosaic that hold a training tile or pseudo-labels."""
    try:
        content = json.loads((folder / "mosaic.json").read_text(encoding="utf-8"))
        sections = content["sections"]
        layout = [
            (each["name"], [(cell["id"], cell["row"], cell["column"]) for cell in each["tiles"]])
            for each in sections
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder} holds no mosaic that can be read: {error}",
            expected="a folder written by `diapir data mosaic`",
            fix="diapir data mosaic PATH --out FOLDER, then --set data.mosaic=FOLDER",
        ) from None
    rows = {tile: row for row, tile in enumerate(train.ids)}
    found = []
    for name, cells in layout:
        inside = [cell for cell in cells if cell[0] in rows]
        if inside or (folder / PSEUDO / f"{name}.png").exists():
            found.append(_laid_out(folder, name, cells, inside, train, rows))
    if not any(len(section.cells) for section in found):
        raise DataError(
            f"no section of {folder} holds a training tile",
            expected="a mosaic of the training tiles",
            fix=f"diapir data mosaic {train.path} --out FOLDER",
        )
    return SectionSet(folder.name, tuple(found))


def _laid_out(
    folder: Path,
    name: str,
    cells: Sequence[tuple[str, int, int]],
    inside: Sequence[tuple[str, int, int]],
    train: TileSet,
    rows: dict[str, int],
) -> LabelledSection:
    """A section with the labels of its training tiles, pseudo-labels where it has them, else 255.

    Gaps between tiles are blank in the image, like mutes and gaps of a survey, and background (0)
    in the mask.
    """
    image = read_image(folder / "sections" / f"{name}.png")
    height = image.shape[0] // (1 + max(row for _, row, _ in cells))
    width = image.shape[1] // (1 + max(column for _, _, column in cells))
    mask = np.zeros(image.shape, np.uint8)
    boxes = []

    def place_of(row: int, column: int) -> tuple[slice, slice]:
        top, left = row * height, column * width
        return slice(top, top + height), slice(left, left + width)

    guesses = folder / PSEUDO / f"{name}.png"
    guessed = read_image(guesses) if guesses.exists() else np.full(image.shape, IGNORE, np.uint8)
    pseudo = []
    trained = {tile for tile, _, _ in inside}
    for tile, row, column in cells:
        place = place_of(row, column)
        mask[place] = guessed[place]
        if tile not in trained and (guessed[place] != IGNORE).mean() >= _LEAST_PSEUDO:
            pseudo.append((place[0].start, place[1].start, place[0].stop, place[1].stop))
    for tile, row, column in inside:
        top, left = row * height, column * width
        place = place_of(row, column)
        if not np.array_equal(image[place], train.image(rows[tile])):
            raise DataError(
                f"tile {tile} differs from its image in section {name} of {folder}",
                expected="a mosaic of the training tiles",
                fix=f"diapir data mosaic {train.path} --out FOLDER",
            )
        mask[place] = train.mask(rows[tile])
        boxes.append((top, left, top + height, left + width))
    return LabelledSection(image, mask, _cells(boxes), _cells(pseudo))


def _cells(boxes: Sequence[tuple[int, int, int, int]]) -> Cells:
    return np.array(boxes, np.int64).reshape(-1, 4)


def _synthetic(folders: Sequence[Path]) -> SectionSet:
    """The sections of synthetic surveys, which are labelled everywhere."""
    found = []
    for folder in folders:
        paths = sorted((folder / "sections").glob("*.png"))
        if not paths:
            raise DataError(
                f"{folder} holds no sections",
                expected="a folder written by `diapir data synth`",
                fix="diapir data synth --out FOLDER, then --set 'data.synthetic=[FOLDER]'",
            )
        for path in paths:
            image, salt = read_image(path), read_image(folder / "sections" / "masks" / path.name)
            whole = np.array([[0, 0, *image.shape]], np.int64)
            found.append(LabelledSection(image, (salt > 0).astype(np.uint8), whole))
    return SectionSet(", ".join(folder.name for folder in folders), tuple(found))


def training_hash(tiles: TileSet, windows: Windows | None) -> str:
    """SHA-256 over the training tiles and the sections of the windows, if there are any."""
    if windows is None:
        return tiles.hash
    return hashlib.sha256((tiles.hash + windows.hash).encode()).hexdigest()


def names(ids: Sequence[str], indices: Indices) -> list[str]:
    """A name for each image of a batch: the tile's id, or the window's number in the epoch."""
    return [ids[index] if index < len(ids) else f"window {index}" for index in indices.tolist()]
